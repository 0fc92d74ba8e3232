import type { MemberView } from '../../contract/views.ts';

/** What is being typed after an @, and where it begins. */
export interface Typed {
  readonly from: number;
  readonly word: string;
}

type Named = Pick<MemberView, 'name'>;

/** An @ at the beginning of a word, with what follows it up to the cursor; null when no name is being typed. */
export function typedMention(text: string, cursor: number): Typed | null {
  const before = text.slice(0, cursor);
  const [, word] = /(?:^|[\s([])@([^\s@]{0,40})$/u.exec(before) ?? [];
  return word === undefined ? null : { from: cursor - word.length - 1, word };
}

/** Whose name, or a part of it, begins so; whatever case. */
export function membersLike<T extends Named>(members: readonly T[], word: string): T[] {
  const wanted = word.toLocaleLowerCase();
  return members.filter(({ name }) =>
    [name, ...name.split(/\s+/)].some((part) => part.toLocaleLowerCase().startsWith(wanted)),
  );
}

/** Who is spoken to: those whose name stands in the text behind an @. */
export function mentionedIn<T extends Named>(text: string, members: readonly T[]): T[] {
  const found = new Set(mentionSpans(text, members).map(({ name }) => name));
  return members.filter(({ name }) => found.has(name));
}

/** Where names stand behind an @, in order; of two that fit the longer one counts. */
export function mentionSpans(text: string, members: readonly Named[]): { from: number; to: number; name: string }[] {
  const names = members.map(({ name }) => name).filter((name) => name !== '');
  names.sort((a, b) => b.length - a.length);
  const spans: { from: number; to: number; name: string }[] = [];
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    if (isWord(text[at - 1])) continue;
    const name = names.find((one) => text.startsWith(one, at + 1) && !isWord(text[at + 1 + one.length]));
    if (name !== undefined) spans.push({ from: at, to: at + 1 + name.length, name });
  }
  return spans;
}

function isWord(sign: string | undefined): boolean {
  return sign !== undefined && /[\p{L}\p{N}_]/u.test(sign);
}
