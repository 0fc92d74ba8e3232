import type { ContactView } from '../../contract/people.ts';
import { useEngine } from '../stores/engine.ts';

/** Tells that what somebody wrote is really on the person's screen. */
export function usePersonReading(person: () => ContactView | undefined): { mark(): void } {
  const engine = useEngine();
  return {
    mark() {
      const shown = person();
      if (shown === undefined || shown.unread === 0 || document.hidden || engine.state.kind !== 'online') return;
      // A mark that is lost is made again with the next line.
      engine.call((client) => client.people.markRead({ jid: shown.jid })).catch(() => undefined);
    },
  };
}
