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

/** The state of the path picker: where it is, what it shows and what is chosen, across folders. */
export function useBrowse() {
  const engine = useEngine();
  const home = ref('');
  const path = ref('');
  const parent = ref<string | null>(null);
  const entries = ref<readonly BrowseEntry[]>([]);
  const failure = ref<ErrorCode | null>(null);
  const loading = ref(false);
  const filter = ref('');
  const cursor = ref(0);
  const chosen = reactive(new Map<string, BrowseEntry>());
  let latest = 0;

  const shown = computed(() => {
    const wanted = filter.value.trim().toLocaleLowerCase();
    return wanted === ''
      ? entries.value
      : entries.value.filter(({ name }) => name.toLocaleLowerCase().includes(wanted));
  });
  const chosenBytes = computed(() => Array.from(chosen.values()).reduce((sum, entry) => sum + entry.bytes, 0));
  const hasFolder = computed(() => Array.from(chosen.values()).some((entry) => entry.kind === 'folder'));

  async function go(to?: string): Promise<void> {
    latest += 1;
    const mine = latest;
    loading.value = true;
    failure.value = null;
    try {
      const found = await engine.call((client) => client.system.browse(to === undefined ? {} : { path: to }));
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

  function toggle(entry: BrowseEntry): void {
    if (!chosen.delete(entry.path)) chosen.set(entry.path, entry);
  }

  function move(by: number): void {
    cursor.value = Math.max(0, Math.min(shown.value.length - 1, cursor.value + by));
  }

  async function up(): Promise<void> {
    if (parent.value !== null) await go(parent.value);
  }

  /** True when the key meant something here. */
  function onKey(event: KeyboardEvent): boolean {
    const entry = shown.value[cursor.value];
    if (event.key === 'ArrowDown') move(1);
    else if (event.key === 'ArrowUp' && event.altKey) void up();
    else if (event.key === 'ArrowUp') move(-1);
    else if (event.key === 'PageDown') move(8);
    else if (event.key === 'PageUp') move(-8);
    else if (event.key === 'Home') move(-Infinity);
    else if (event.key === 'End') move(Infinity);
    else if (event.key === 'Backspace' || event.key === 'ArrowLeft') void up();
    else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) chooseAll();
    else if (entry === undefined) return false;
    else if (event.key === ' ') toggle(entry);
    else if ((event.key === 'Enter' || event.key === 'ArrowRight') && entry.kind === 'folder') void go(entry.path);
    else if (event.key === 'Enter') toggle(entry);
    else return false;
    return true;
  }

  function chooseAll(): void {
    const files = shown.value.filter((entry) => entry.kind === 'file');
    const every = files.every((entry) => chosen.has(entry.path));
    for (const entry of files) {
      if (every) chosen.delete(entry.path);
      else chosen.set(entry.path, entry);
    }
  }

  return {
    home,
    path,
    parent,
    shown,
    failure,
    loading,
    filter,
    cursor,
    chosen,
    chosenBytes,
    hasFolder,
    go,
    toggle,
    onKey,
  };
}
