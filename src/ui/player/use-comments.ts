import { computed, ref, watch, type ComputedRef, type Ref } from 'vue';
import type { EventId } from '../../base/id.ts';
import type { ItemView, MessageView } from '../../contract/views.ts';
import { useCommentLines } from '../stores/comments.ts';
import { useEngine } from '../stores/engine.ts';

export interface Comments {
  /** Oldest first, without what was taken away. */
  readonly lines: ComputedRef<readonly MessageView[]>;
  /** What a comment answers; null until the engine has said it. */
  readonly lineId: Readonly<Ref<EventId | null>>;
  say(text: string): Promise<void>;
}

/** What is said about the item on the screen: lines of its conversation that answer it. */
export function useComments(item: () => ItemView): Comments {
  const engine = useEngine();
  const store = useCommentLines();
  const lineId = ref<EventId | null>(null);

  async function load(): Promise<void> {
    const { id } = item();
    try {
      const line = await store.open(item());
      if (item().id === id) lineId.value = line;
    } catch {
      // The item itself is shown all the same; with the next connection they are asked for again.
    }
  }

  watch(
    [() => item().id, () => engine.state.kind],
    ([id, state], [before]) => {
      if (id !== before) lineId.value = null;
      if (state === 'online') void load();
    },
    { immediate: true },
  );

  return {
    lines: computed(() =>
      (store.comments.get(lineId.value ?? '') ?? []).filter(({ change }) => change !== 'retracted'),
    ),
    lineId,
    async say(text) {
      if (lineId.value !== null) await store.say(item().sphereId, lineId.value, text);
    },
  };
}
