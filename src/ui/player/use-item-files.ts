import { computed, ref, shallowRef, watch } from 'vue';
import type { ComputedRef } from 'vue';
import type { ItemFileView, ItemView } from '../../contract/views.ts';
import { useEngine } from '../stores/engine.ts';

const STEP = 1000;

/** An item with as many of its files as are looked at; the first ones of a long list came with it, the others are asked for. */
export function useItemFiles(item: () => ItemView | undefined): {
  readonly item: ComputedRef<ItemView | undefined>;
  /** Files up to this number are needed. */
  readonly need: (count: number) => void;
} {
  const engine = useEngine();
  const needed = ref(0);
  const further = shallowRef<readonly ItemFileView[]>([]);
  let isLoading = false;
  let isStale = false;

  async function load(): Promise<void> {
    const now = item();
    if (isLoading || now === undefined || now.files.length === 0) return;
    isLoading = true;
    try {
      const ids = { sphereId: now.sphereId, itemId: now.id };
      let known = isStale ? [] : further.value;
      isStale = false;
      while (now.files.length + known.length < Math.min(needed.value, now.fileCount)) {
        const from = now.files.length + known.length;
        const { files } = await engine.call((client) => client.items.files({ ...ids, from, most: STEP }));
        if (files.length === 0 || item()?.id !== now.id) break;
        known = [...known, ...files];
      }
      if (item()?.id === now.id) further.value = known;
    } catch {
      // The page says by itself that the line is broken; the next look asks again.
      return;
    } finally {
      isLoading = false;
    }
    if (isStale) await load();
  }

  watch(
    () => item()?.id,
    (_, before) => {
      further.value = [];
      // A page that is opened anew asks before the item is known.
      if (before !== undefined) needed.value = 0;
    },
  );
  // Other files are here now than when they were asked for.
  watch([() => item()?.state, () => item()?.filesHere], () => {
    isStale = further.value.length > 0;
    void load();
  });
  watch(needed, () => void load());

  return {
    item: computed(() => {
      const now = item();
      if (now === undefined || further.value.length === 0) return now;
      return { ...now, files: [...now.files, ...further.value] };
    }),
    need: (count) => (needed.value = Math.max(needed.value, count)),
  };
}
