import { computed, reactive, ref } from 'vue';
import type { ErrorCode } from '../../base/errors.ts';
import { toAppError } from '../failure.ts';
import { useEngine } from '../stores/engine.ts';

export interface BrowseEntry {
  readonly name: string;
  readonly path: string;
  readonly kind: 'folder' | 'file';
  readonly bytes: number;
}

export type Browse = ReturnType<typeof useBrowse>;

/** Where the path picker is and what lies there. */
export function useBrowse() {
  const engine = useEngine();
  const home = ref('');
  const path = ref('');
  const parent = ref<string | null>(null);
  const entries = ref<readonly BrowseEntry[]>([]);
  const failure = ref<ErrorCode | null>(null);
  const loading = ref(false);
  const filter = ref('');
  /** Index into `shown` of the row that the keyboard is on. */
  const cursor = ref(0);
  /** What is chosen, by path, across folders. */
  const chosen = reactive(new Map<string, BrowseEntry>());
  let latest = 0;

  const shown = computed(() => {
    const wanted = filter.value.trim().toLocaleLowerCase();
    return wanted === ''
      ? entries.value
      : entries.value.filter(({ name }) => name.toLocaleLowerCase().includes(wanted));
  });

  /** Opens the folder `to`, the home folder when none is given. */
  async function go(to?: string): Promise<void> {
    latest += 1;
    const mine = latest;
    loading.value = true;
    failure.value = null;
    try {
      const found = await engine.call((client) => client.system.browse(to === undefined ? {} : { path: to }));
      // A slower answer to an earlier click must not replace this one.
      if (mine !== latest) return;
      if (to === undefined) home.value = found.path;
      path.value = found.path;
      parent.value = found.path === home.value ? null : found.parent;
      entries.value = found.entries;
      filter.value = '';
      cursor.value = 0;
    } catch (error) {
      if (mine === latest) failure.value = toAppError(error).code;
    } finally {
      if (mine === latest) loading.value = false;
    }
  }

  return { home, path, parent, shown, failure, loading, filter, cursor, chosen, go };
}

/** Chooses an entry, or no longer. */
export function toggleEntry(browse: Pick<Browse, 'chosen'>, entry: BrowseEntry): void {
  if (!browse.chosen.delete(entry.path)) browse.chosen.set(entry.path, entry);
}
