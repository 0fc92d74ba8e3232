import { onBeforeUnmount, watch, type Ref } from 'vue';
import type { ItemFileView, ItemView } from '../../contract/views.ts';
import { useEngine } from '../stores/engine.ts';
import { placeToKeep } from './place-to-keep.ts';

const KEEP_EVERY_MS = 5_000;

/** Tells the engine how far the person is: every few seconds, when they stop, and when they go. */
export function useKeptPlace(
  element: Ref<HTMLMediaElement | null>,
  item: () => ItemView,
  file: () => ItemFileView,
  kind: () => 'video' | 'audio',
): void {
  const engine = useEngine();
  let kept: number | null = null;
  let latest: number | null = null;
  let keptAtMs = 0;

  function keep(): void {
    if (latest === null || latest === kept) return;
    kept = latest;
    keptAtMs = performance.now();
    const { id: itemId, sphereId } = item();
    const place = { sphereId, itemId, file: file().index, positionMs: latest };
    // Told again in a moment; nothing but a place in a film is lost.
    engine.call((client) => client.items.keepPosition(place)).catch(() => undefined);
  }

  function onMove({ target }: Event): void {
    const { currentTime, duration } = target as HTMLMediaElement;
    latest = placeToKeep(kind(), currentTime, duration);
    if (performance.now() - keptAtMs >= KEEP_EVERY_MS) keep();
  }

  watch(element, (now, before) => {
    before?.removeEventListener('timeupdate', onMove);
    before?.removeEventListener('pause', keep);
    now?.addEventListener('timeupdate', onMove);
    now?.addEventListener('pause', keep);
  });
  addEventListener('pagehide', keep);
  onBeforeUnmount(() => {
    removeEventListener('pagehide', keep);
    keep();
  });
}
