import type { EngineClient } from './engine-client.ts';

interface ShownDeps {
  readonly page: Pick<Document, 'visibilityState' | 'addEventListener'>;
  readonly call: <T>(ask: (client: EngineClient) => Promise<T>) => Promise<T>;
}

/** Tells the engine that somebody looks, as long as the page is shown and has a line. The result is told when it has one. */
export function whileShown({ page, call }: ShownDeps): (isOnline: boolean) => void {
  let isOnline = false;
  let look: AbortController | null = null;
  const settle = (): void => {
    const isLooking = isOnline && page.visibilityState === 'visible';
    if (isLooking === (look !== null)) return;
    look?.abort();
    look = isLooking ? new AbortController() : null;
    const signal = look?.signal;
    // A line that is lost ends it as well: it is told anew over the next one.
    if (signal !== undefined) call((client) => client.system.looking(undefined, { signal })).catch(() => undefined);
  };
  page.addEventListener('visibilitychange', settle);
  return (hasLine) => {
    isOnline = hasLine;
    settle();
  };
}
