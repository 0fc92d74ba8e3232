import { ref, watch, type Ref } from 'vue';
import type { ErrorCode } from '../../base/errors.ts';
import type { ItemFileView, ItemView } from '../../contract/views.ts';
import { toAppError } from '../failure.ts';
import { useEngine } from '../stores/engine.ts';

export type Playback =
  | { readonly kind: 'asking' }
  /** `positionMs`: where the person stopped the last time. */
  | { readonly kind: 'here'; readonly url: string; readonly positionMs: number }
  /** Another program can play it. */
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'not-yet' }
  | { readonly kind: 'failed'; readonly code: ErrorCode };

/** Asks the engine how one file can be shown, and starts its download when nobody has. */
export function usePlayback(
  item: () => ItemView,
  file: () => ItemFileView,
): { readonly playback: Ref<Playback>; ask(): Promise<void> } {
  const engine = useEngine();
  const playback = ref<Playback>({ kind: 'asking' });

  async function ask(): Promise<void> {
    const { id: itemId, sphereId, state } = item();
    const { index } = file();
    try {
      if (state === 'paused') await engine.call((client) => client.items.get({ sphereId, itemId, files: [index] }));
      const answer = await engine.call((client) => client.items.playback({ sphereId, itemId, file: index }));
      playback.value =
        answer.playable === 'here'
          ? { kind: 'here', url: answer.url, positionMs: answer.positionMs }
          : { kind: answer.playable === 'elsewhere' ? 'elsewhere' : 'not-yet' };
    } catch (error) {
      playback.value = { kind: 'failed', code: toAppError(error).code };
    }
  }

  watch(
    () => item().state,
    (state, before) => {
      const complete = state === 'complete' || state === 'sharing';
      if (complete && before !== state && playback.value.kind === 'not-yet') void ask();
    },
  );
  watch(
    () => engine.state.kind,
    (state) => {
      const lost = playback.value.kind === 'failed' && playback.value.code === 'disconnected';
      if (state === 'online' && lost) void ask();
    },
  );
  void ask();
  return { playback, ask };
}
