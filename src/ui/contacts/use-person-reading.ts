import { onBeforeUnmount, onMounted, watch } from 'vue';
import type { ContactView } from '../../contract/people.ts';
import { useEngine } from '../stores/engine.ts';

/** Marks what somebody wrote as read while it is really on the screen. */
export function usePersonReading(person: () => ContactView | undefined): void {
  const engine = useEngine();

  function mark(): void {
    const shown = person();
    if (shown === undefined || shown.unread === 0 || document.hidden || engine.state.kind !== 'online') return;
    // A mark that is lost is made again with the next fact about the person.
    engine.call((client) => client.people.markRead({ jid: shown.jid })).catch(() => undefined);
  }

  watch(() => [person()?.jid, person()?.unread], mark, { immediate: true });
  onMounted(() => document.addEventListener('visibilitychange', mark));
  onBeforeUnmount(() => document.removeEventListener('visibilitychange', mark));
}
