import { onBeforeUnmount } from 'vue';
import type { SphereId } from '../../base/id.ts';
import { useEngine } from '../stores/engine.ts';

const AGAIN_MS = 5_000;
/** Whoever only thinks is not writing. */
const PAUSE_MS = 8_000;

/** Tells the engine that the person writes, and when they stop; whether others hear of it is a setting. */
export function useTyping(conversation: () => SphereId): { typed: (text: string) => void } {
  const engine = useEngine();
  let toldMs: number | null = null;
  let pause: ReturnType<typeof setTimeout> | undefined;

  function tell(isTyping: boolean): void {
    toldMs = isTyping ? Date.now() : null;
    // It is of no use later.
    engine.call((client) => client.messages.typing({ sphereId: conversation(), isTyping })).catch(() => undefined);
  }

  function stop(): void {
    clearTimeout(pause);
    if (toldMs !== null) tell(false);
  }

  function typed(text: string): void {
    if (text.trim() === '') return stop();
    clearTimeout(pause);
    pause = setTimeout(stop, PAUSE_MS);
    if (toldMs === null || Date.now() - toldMs >= AGAIN_MS) tell(true);
  }

  onBeforeUnmount(stop);
  return { typed };
}
