/** A stretch of a message: plain text, or the address of a page. */
export interface TextPart {
  readonly text: string;
  /** Only http and https. */
  readonly url: string | null;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"\p{Cc}\p{Cf}]+/giu;
const CLOSING = { ')': '(', ']': '[', '}': '{' } as const;

/** Splits a message at the addresses in it. What is shown is exactly what was written. */
export function textParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const written = withoutTail(match[0]);
    const url = safeUrl(written);
    if (url === null) continue;
    if (match.index > at) parts.push({ text: text.slice(at, match.index), url: null });
    parts.push({ text: written, url });
    at = match.index + written.length;
  }
  if (at < text.length) parts.push({ text: text.slice(at), url: null });
  return parts;
}

/** Without the punctuation of the sentence around it; a bracket that was opened inside belongs to it. */
function withoutTail(address: string): string {
  // Counted once: an address may be as long as a message, and nothing but brackets.
  const counts = new Map<string, number>();
  for (const sign of address) counts.set(sign, (counts.get(sign) ?? 0) + 1);
  const count = (sign: string): number => counts.get(sign) ?? 0;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1] ?? '';
    const opening = CLOSING[last as keyof typeof CLOSING];
    const isOpened = opening !== undefined && count(opening) >= count(last);
    if (!/[.,;:!?'’”»)\]}]/.test(last) || isOpened) break;
    counts.set(last, count(last) - 1);
  }
  return address.slice(0, end);
}

/** null for what is no address, and for one that hides where it leads behind a name and an @. */
function safeUrl(written: string): string | null {
  if (!URL.canParse(written)) return null;
  const { protocol, username, password, href } = new URL(written);
  const isWeb = protocol === 'http:' || protocol === 'https:';
  return isWeb && username === '' && password === '' ? href : null;
}
