import { RecentMap } from '../../base/recent-map.ts';
import { searchWords } from '../../base/search-words.ts';
import type { EventId } from '../../base/id.ts';
import type { ItemEvent } from '../../spheres/protocol/event.ts';
import { decodeBeginning } from '../../spheres/protocol/manifest.ts';
import { publicMetainfo } from '../../spheres/public-torrent.ts';
import type { Storage } from '../../storage/storage.ts';

/** So many files of one item are found by their names: the words of a hundred thousand would take the memory of years of talk. */
const MOST_FILES = 2000;
/** Of so many items the names are kept as they were read: whoever types looks at the same ones with each letter. */
const MOST_KEPT = 20;

/** By which names an item is found: its own, and those of the files inside. */
export class ItemNames {
  readonly #attachments: Storage['attachments'];
  readonly #kept = new RecentMap<EventId, readonly string[]>(MOST_KEPT);

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
    this.#kept.set(event.id, files);
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
}

function readNames(event: ItemEvent, bytes: Uint8Array): readonly string[] {
  try {
    const most = Math.min(event.body.fileCount, MOST_FILES);
    const { files } = event.type === 'torrent' ? publicMetainfo(event, bytes) : decodeBeginning(bytes, most);
    return files.slice(0, most).map(({ path }) => path.join('/'));
  } catch {
    // A list that breaks a rule was made so by its author: nothing in it is found.
    return [];
  }
}
