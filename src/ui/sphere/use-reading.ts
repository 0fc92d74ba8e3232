import type { SphereView } from '../../contract/views.ts';
import { useEngine } from '../stores/engine.ts';

/** Tells that something of a sphere is really on the person's screen: all lines, or the shared items alone. */
export function useReading(sphere: () => SphereView | undefined): { mark(what: 'all' | 'items'): void } {
  const engine = useEngine();
  return {
    mark(what) {
      const shown = sphere();
      if (shown === undefined || shown.unread === 0 || document.hidden || engine.state.kind !== 'online') return;
      // A mark that is lost is made again with the next line.
      engine.call((client) => client.spheres.markRead({ sphereId: shown.id, what })).catch(() => undefined);
    },
  };
}
