import { searchWords } from '../../base/search-words.ts';
import type { EventId } from '../../base/id.ts';
import type { ItemEvent } from '../../spheres/protocol/event.ts';
import { decodePaths } from '../../spheres/protocol/manifest.ts';
import { publicMetainfo } from '../../spheres/public-torrent.ts';
import type { Storage } from '../../storage/storage.ts';

/** So many files of one item are found by their names: the words of a hundred thousand would take the memory of years of talk. */
const MOST_FILES = 2000;
/** Nor more signs of one item, in the beginning of its list: words of the longest names would hold everybody up for minutes. */
const MOST_SIGNS = 200_000;
const MOST_BYTES = 4 * 1024 * 1024;
/** So much of them is kept as it was read: whoever types looks at the same items with each letter. */
const MOST_KEPT_SIGNS = 4_000_000;

/** By which names an item is found: its own, and those of the files inside. */
export class ItemNames {
  readonly #attachments: Storage['attachments'];
  readonly #kept = new Map<EventId, readonly string[]>();
  #signsKept = 0;

  constructor(deps: { readonly storage: Pick<Storage, 'attachments'> }) {
    this.#attachments = deps.storage.attachments;
  }

  /** Undefined while the list of files is not here. */
  files(event: ItemEvent): readonly string[] | undefined {
    const kept = this.#kept.get(event.id);
    if (kept !== undefined) return kept;
    const bytes = this.#attachments.get(event.id, event.type === 'torrent' ? 'metainfo' : 'manifest');
    if (bytes === undefined) return undefined;
    const files = readNames(event, bytes);
    this.#keep(event.id, files);
    return files;
  }

  /** All of them, for the index. */
  all(event: ItemEvent): string {
    return [event.body.name, ...(this.files(event) ?? [])].join('\n');
  }

  /** Its own name, and of those inside the first ones in which the other words stand. */
  found(event: ItemEvent, terms: readonly string[]): string {
    const missing = new Set(terms);
    const finds = (name: string): boolean => {
      const before = missing.size;
      for (const { folded } of searchWords(name)) {
        for (const term of missing) if (folded.startsWith(term)) missing.delete(term);
      }
      return missing.size < before;
    };
    const names = [event.body.name];
    finds(event.body.name);
    for (const file of missing.size === 0 ? [] : (this.files(event) ?? [])) {
      if (finds(file)) names.push(file);
      if (missing.size === 0) break;
    }
    return names.join(' › ');
  }

  #keep(id: EventId, files: readonly string[]): void {
    this.#kept.set(id, files);
    this.#signsKept += signsOf(files);
    for (const [oldest, names] of this.#kept) {
      if (this.#signsKept <= MOST_KEPT_SIGNS || oldest === id) return;
      this.#kept.delete(oldest);
      this.#signsKept -= signsOf(names);
    }
  }
}

function readNames(event: ItemEvent, bytes: Uint8Array): readonly string[] {
  try {
    const most = Math.min(event.body.fileCount, MOST_FILES);
    const paths =
      event.type === 'torrent'
        ? publicMetainfo(event, bytes).files.map(({ path }) => path)
        : decodePaths(bytes, most, MOST_BYTES);
    let signs = 0;
    const names = paths.slice(0, most).map((path) => path.join('/'));
    const end = names.findIndex((name) => (signs += name.length) > MOST_SIGNS);
    return end === -1 ? names : names.slice(0, end);
  } catch {
    // A list that breaks a rule was made so by its author: nothing in it is found.
    return [];
  }
}

function signsOf(names: readonly string[]): number {
  return names.reduce((signs, name) => signs + name.length, 0);
}
