import { onBeforeUnmount, onMounted, watch } from 'vue';
import type { SphereView } from '../../contract/views.ts';
import { useEngine } from '../stores/engine.ts';

/** Marks a sphere as read while it is really on the person's screen. */
export function useReading(sphere: () => SphereView | undefined): void {
  const engine = useEngine();

  function mark(): void {
    const shown = sphere();
    if (shown === undefined || shown.unread === 0 || document.hidden || engine.state.kind !== 'online') return;
    // A mark that is lost is made again with the next fact about the sphere.
    engine.call((client) => client.spheres.markRead({ sphereId: shown.id })).catch(() => undefined);
  }

  watch(() => [sphere()?.id, sphere()?.unread], mark, { immediate: true });
  onMounted(() => document.addEventListener('visibilitychange', mark));
  onBeforeUnmount(() => document.removeEventListener('visibilitychange', mark));
}
