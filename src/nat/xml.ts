import { AppError } from '../base/errors.ts';

/** What a router says is never longer. */
export const MOST_XML_CHARACTERS = 64 * 1024;
const MOST_ELEMENTS = 4_000;
const DEEPEST = 32;

/** An element without its attributes and prefix, which nothing here needs. */
export interface XmlElement {
  readonly name: string;
  /** Its own text, without that of its children. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface OpenElement {
  readonly tag: string;
  readonly children: XmlElement[];
  text: string;
}

// Sticky and without nested repetition: each character is looked at a fixed number of times.
const SKIPPED = /<\?[^>]*>|<!--[^]*?-->/y;
const CDATA = /<!\[CDATA\[([^]*?)\]\]>/y;
const CLOSING = /<\/([^\s<>/]{1,100})\s*>/y;
const OPENING = /<([A-Za-z_][^\s<>/'"=]{0,99})((?:[^<>'"/]|"[^"<]*"|'[^'<]*'|\/(?!>))*)(\/?)>/y;
const TEXT = /[^<]+/y;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Reads the plain XML of routers; document types and broken structure fail with `bad-input`. */
export function parseXml(document: string): XmlElement {
  if (document.length > MOST_XML_CHARACTERS) throw new AppError('too-large', 'the XML is too long');
  const open: OpenElement[] = [{ tag: '', children: [], text: '' }];
  let elements = 0;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(document);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    const inner = open.at(-1);
    const root = open[0]?.children[0];
    // Whatever a router sends after the document does not matter.
    if (root !== undefined) return root;
    if (inner === undefined || at >= document.length) throw malformed('ends early');
    if (take(SKIPPED) !== null) continue;
    const text = take(TEXT)?.[0];
    const literal = text === undefined ? take(CDATA)?.[1] : decode(text);
    if (literal !== undefined) {
      inner.text += literal;
      continue;
    }
    const opening = take(OPENING);
    if (opening !== null) {
      elements += 1;
      if (elements > MOST_ELEMENTS || open.length > DEEPEST) throw malformed('too many elements');
      open.push({ tag: opening[1] ?? '', children: [], text: '' });
      if (opening[3] !== '/') continue;
    } else if (take(CLOSING)?.[1] !== inner.tag || open.length < 2) throw malformed('not well-formed');
    close(open);
  }
}

/** All elements of this name, at any depth, in the order of the document. */
export function findAll(element: XmlElement, name: string): XmlElement[] {
  const own = element.name === name ? [element] : [];
  return own.concat(element.children.flatMap((child) => findAll(child, name)));
}

/** The text of the first element of this name, at any depth. */
export function textOf(element: XmlElement, name: string): string | undefined {
  return findAll(element, name)[0]?.text;
}

function close(open: OpenElement[]): void {
  const done = open.pop();
  const name = done?.tag.replace(/^[^:]*:/, '') ?? '';
  open.at(-1)?.children.push({ name, text: (done?.text ?? '').trim(), children: done?.children ?? [] });
}

/** Unknown entities stay as they are: routers write "&" and "&nbsp;" in their makers' names. */
function decode(text: string): string {
  return text.replace(
    /&(?:([a-z]{2,4})|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));/g,
    (whole, name?: string, decimal?: string, hex?: string) => {
      if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] ?? whole) : whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number.parseInt(decimal, 10);
      return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

function malformed(reason: string): AppError {
  return new AppError('bad-input', 'the router sent XML that cannot be read', { reason });
}
