/** Names that arrive from others, made into names that every disk can hold and no file manager acts upon. */

/** In bytes of UTF-8: file systems allow 255, and copies, downloads and encryption layers add their own endings. */
export const MAX_NAME_BYTES = 240;
const MAX_COMPONENTS = 16;
const MAX_EXTENSION_BYTES = 32;
const STAND_IN = '_';

// Bidirectional controls, zero-width characters, tags, fillers: they make a name look like another one.
const INVISIBLE = /[\p{Cf}\u115F\u1160\u17B4\u17B5\u3164\uFFA0]|\u034F/gu;
const FORBIDDEN = /[<>:"/\\|?*\p{Cc}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu;
// Windows drops them when it opens a file, so two names would be one.
const ENDING = /[\s.]+$/u;
const LEADING = /^\s+/u;
// Windows opens a device for these, whatever follows the first dot.
const RESERVED = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)/iu;
// Files that a file manager reads by itself when it shows a folder.
const ACTIVE = /^(?:desktop\.ini|thumbs\.db|\.ds_store|autorun\.inf|\.directory|folder\.htt)$/iu;

// Emoji keep their variation selectors, yet some disks ignore those when they compare names.
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;

const encoder = new TextEncoder();
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });
const byteLength = (text: string): number => encoder.encode(text).length;

/** One component of a path, safe on every system we run on. Applying it twice changes nothing more. */
export function safeName(name: string): string {
  const visible = name.toWellFormed().replace(INVISIBLE, '').normalize('NFC').replace(FORBIDDEN, STAND_IN);
  return fit(guard(trim(visible)), '');
}

/** All components, the last one being the file; folders nested too deep are left out from the inside. */
export function safePathComponents(components: readonly string[]): string[] {
  const safe = components.map(safeName);
  const file = safe.at(-1) ?? STAND_IN;
  return [...safe.slice(0, -1).slice(0, MAX_COMPONENTS - 1), file];
}

function trim(name: string): string {
  return name.replace(LEADING, '').replace(ENDING, '');
}

function guard(name: string): string {
  if (name === '') return STAND_IN;
  return RESERVED.test(name) || ACTIVE.test(name) ? STAND_IN + name : name;
}

/** Cuts the stem between two visible characters so that stem + suffix + extension fit; the extension stays. */
function fit(name: string, suffix: string): string {
  return join(split(name), suffix);
}

function join({ stem, extension }: { stem: string; extension: string }, suffix: string): string {
  const room = MAX_NAME_BYTES - byteLength(suffix) - byteLength(extension);
  // Cutting can uncover a trailing space or dot, or leave a reserved name.
  const kept = byteLength(stem) <= room ? stem : guard(trim(cut(stem, room)));
  return kept + suffix + extension;
}

function split(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot) : '';
  if (byteLength(extension) > MAX_EXTENSION_BYTES) return { stem: name, extension: '' };
  return { stem: dot > 0 ? name.slice(0, dot) : name, extension };
}

function cut(text: string, room: number): string {
  let kept = '';
  let bytes = 0;
  for (const { segment } of graphemes.segment(text)) {
    bytes += byteLength(segment);
    if (bytes > room) break;
    kept += segment;
  }
  if (kept !== '') return kept;
  // A single letter under a tower of accents: cut it where a code point ends.
  bytes = 0;
  for (const character of text) {
    bytes += byteLength(character);
    if (bytes > room) break;
    kept += character;
  }
  return kept;
}

/** Two names with one key are one file on some disk: Windows and macOS fold case, macOS composes accents. */
export function collisionKey(name: string): string {
  const folded = name.normalize('NFKC').replace(IGNORABLE, '').toUpperCase().toLowerCase();
  return folded.normalize('NFKC').replaceAll('ς', 'σ');
}

interface Folder {
  /** By collision key. */
  readonly entries: Map<string, Entry>;
  /** Where the folders of the input went, by collision key of their safe name. */
  readonly folders: Map<string, Entry & { readonly folder: Folder }>;
  /** The next number to try for a name, by collision key: ten thousand equal names must not cost their square. */
  readonly numbers: Map<string, number>;
}
interface Entry {
  readonly name: string;
  readonly folder: Folder | null;
}

const newFolder = (): Folder => ({ entries: new Map(), folders: new Map(), numbers: new Map() });

/**
 * Safe paths for a list of paths, in the same order and all different on every disk: a later file of the same name
 * becomes "name (2)", folders of the same name become one.
 */
export function uniqueNames(paths: readonly (readonly string[])[]): string[][] {
  const root = newFolder();
  return paths.map((path) => {
    const components = safePathComponents(path);
    let folder = root;
    const names = components.slice(0, -1).map((name) => {
      const entry = enter(folder, name);
      folder = entry.folder;
      return entry.name;
    });
    return [...names, add(folder, components.at(-1) ?? STAND_IN, null).name];
  });
}

/** A name with " (2)" (or another number), before the extension of a file; no longer than a name may be. */
export function numberedName(name: string, number: number, kind: 'file' | 'folder'): string {
  const suffix = ` (${number})`;
  return kind === 'file' ? fit(name, suffix) : join({ stem: name, extension: '' }, suffix);
}

function enter(parent: Folder, name: string): Entry & { readonly folder: Folder } {
  const key = collisionKey(name);
  const known = parent.folders.get(key);
  if (known !== undefined) return known;
  const there = parent.entries.get(key);
  const folder = there?.folder ?? newFolder();
  const entry = there?.folder ? { name: there.name, folder } : { ...add(parent, name, folder), folder };
  parent.folders.set(key, entry);
  return entry;
}

function add(parent: Folder, name: string, folder: Folder | null): Entry {
  const base = collisionKey(name);
  let number = parent.numbers.get(base) ?? 1;
  let free = name;
  let key = base;
  while (number > 1 || parent.entries.has(key)) {
    number = Math.max(2, number);
    free = numberedName(name, number, folder === null ? 'file' : 'folder');
    key = collisionKey(free);
    number += 1;
    if (!parent.entries.has(key)) break;
  }
  parent.numbers.set(base, number);
  const entry = { name: free, folder };
  parent.entries.set(key, entry);
  return entry;
}
