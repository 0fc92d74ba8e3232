import { toggleEntry, type Browse } from './use-browse.ts';

const PAGE = 8;
const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: PAGE,
  PageUp: -PAGE,
  Home: -Infinity,
  End: Infinity,
};

/** Chooses every file that is shown, or none when all are chosen already. */
function chooseAll(browse: Browse): void {
  const files = browse.shown.value.filter((entry) => entry.kind === 'file');
  const every = files.every((entry) => browse.chosen.has(entry.path));
  for (const entry of files) {
    if (every) browse.chosen.delete(entry.path);
    else browse.chosen.set(entry.path, entry);
  }
}

function goUp(browse: Browse): boolean {
  if (browse.parent.value !== null) void browse.go(browse.parent.value);
  return true;
}

/** What a key does in the list of the path picker; true when it meant something. */
export function onBrowseKey(
  browse: Browse,
  event: Pick<KeyboardEvent, 'key' | 'altKey' | 'ctrlKey' | 'metaKey'>,
): boolean {
  const { key } = event;
  if (key === 'Backspace' || key === 'ArrowLeft' || (key === 'ArrowUp' && event.altKey)) return goUp(browse);
  if (key === 'a' && (event.ctrlKey || event.metaKey)) {
    chooseAll(browse);
    return true;
  }
  const step = STEPS[key];
  if (step !== undefined) {
    browse.cursor.value = Math.max(0, Math.min(browse.shown.value.length - 1, browse.cursor.value + step));
    return true;
  }
  const entry = browse.shown.value[browse.cursor.value];
  if (entry === undefined) return false;
  if (entry.kind === 'folder' && (key === 'Enter' || key === 'ArrowRight')) void browse.go(entry.path);
  else if (key === ' ' || key === 'Enter') toggleEntry(browse, entry);
  else return false;
  return true;
}
