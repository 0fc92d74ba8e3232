/** A word of a text as a search compares it. */
export interface SearchWord {
  /** Where it stands in the text, in UTF-16 units. */
  readonly from: number;
  readonly to: number;
  /** Without case and accents; only letters and digits. */
  readonly folded: string;
}

/** A stretch of a text, in UTF-16 units. */
export interface TextRange {
  readonly from: number;
  readonly to: number;
}

/** A part of a text around the first thing that was found in it. */
export interface Excerpt {
  readonly text: string;
  /** What was found, in order, without overlaps. */
  readonly marks: readonly TextRange[];
}

/** Chinese and Japanese set no spaces between words: there each sign is one. */
const WORD = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}]|[[\p{L}\p{N}\p{M}]--[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}]]+/gv;
/** Letters that Unicode does not decompose, and that people type without their sign. */
const PLAIN: Readonly<Record<string, string>> = { œ: 'oe', æ: 'ae', ß: 'ss', ø: 'o', ł: 'l', đ: 'd', ı: 'i', ς: 'σ' };
const MAX_WORD = 64;
const MAX_TERMS = 16;
const EXCERPT_LENGTH = 200;
/** So much of what stands before is shown too. */
const LEAD = 60;

export function* searchWords(text: string): Generator<SearchWord> {
  for (const { 0: word, index } of text.matchAll(WORD)) {
    const folded = fold(word);
    if (folded !== '') yield { from: index, to: index + word.length, folded };
  }
}

/** What a person looks for: the beginnings of words, each once. */
export function searchTerms(wanted: string): string[] {
  const terms = new Set(Array.from(searchWords(wanted), ({ folded }) => folded));
  return Array.from(terms).slice(0, MAX_TERMS);
}

/** undefined unless a word of the text begins with each of the terms. */
export function searchExcerpt(text: string, terms: readonly string[]): Excerpt | undefined {
  const missing = new Set(terms);
  let first: number | undefined;
  for (const { from, folded } of searchWords(text)) {
    for (const term of terms) {
      if (!folded.startsWith(term)) continue;
      missing.delete(term);
      first ??= from;
    }
    if (missing.size === 0) break;
  }
  if (missing.size > 0 || first === undefined) return undefined;
  const part = cut(text, first);
  return { text: part, marks: marksOf(part, terms) };
}

function marksOf(text: string, terms: readonly string[]): TextRange[] {
  return Array.from(searchWords(text)).flatMap(({ from, to, folded }) => {
    const found = terms.filter((term) => folded.startsWith(term)).toSorted((a, b) => b.length - a.length);
    const [longest] = found;
    return longest === undefined ? [] : [{ from, to: from + lengthOf(text.slice(from, to), longest) }];
  });
}

/** How much of a word makes up its folded beginning. */
function lengthOf(word: string, term: string): number {
  let length = 0;
  for (const sign of word) {
    // An accent belongs to the letter before it.
    if (length > 0 && fold(sign) !== '' && fold(word.slice(0, length)).startsWith(term)) return length;
    length += sign.length;
  }
  return length;
}

/** Begins with a word, and breaks no sign in two. */
function cut(text: string, around: number): string {
  if (text.length <= EXCERPT_LENGTH) return text;
  let start = around;
  for (const { from } of searchWords(text)) {
    if (from > around) break;
    if (from < around - LEAD) continue;
    start = from;
    break;
  }
  const begin = around <= LEAD ? 0 : start;
  const part = text.slice(begin, begin + EXCERPT_LENGTH);
  const isHalved = !part.isWellFormed() && begin + EXCERPT_LENGTH < text.length;
  const whole = isHalved ? part.slice(0, -1) : part;
  return `${begin > 0 ? '…' : ''}${whole}${begin + EXCERPT_LENGTH < text.length ? '…' : ''}`;
}

function fold(word: string): string {
  const plain = word
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[œæßøłđıς]/gu, (letter) => PLAIN[letter] ?? letter);
  // Cut after a whole sign: half a one is no letter.
  return plain.length <= MAX_WORD ? plain : plain.slice(0, MAX_WORD).replace(/[\ud800-\udbff]$/u, '');
}
