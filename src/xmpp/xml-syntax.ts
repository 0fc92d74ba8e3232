// XML 1.0 (fifth edition) and Namespaces in XML 1.0, restricted as RFC 6120 §11 says
import { AppError } from '../base/errors.ts';

/** A start or end tag as it stands in the text; namespaces are not resolved yet. */
export interface Tag {
  readonly kind: 'start' | 'end';
  readonly name: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
  readonly selfClosing: boolean;
}

// XML 1.0 §2.3, with the colon, whose place is a matter of namespaces
const NAME_START =
  ':A-Z_a-z\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C-\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';
const NAME = new RegExp(`^[${NAME_START}][${NAME_START}.0-9\\xB7\\u0300-\\u036F\\u203F-\\u2040-]*$`, 'u');
const ATTRIBUTE = /[ \t\r\n]+([^\s=<>"'/]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"<]*)"|'([^'<]*)')/y;
const TAG_NAME = /[^\s/>]+/y;
const TAG_END = /[ \t\r\n]*(\/?)>$/y;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

export function malformed(text: string, details: Readonly<Record<string, unknown>> = {}): AppError {
  return new AppError('bad-input', `the XML is not well-formed: ${text}`, details);
}

/** Reads a whole tag, from `<` to `>`. */
export function parseTag(text: string): Tag {
  const isEnd = text.startsWith('</');
  TAG_NAME.lastIndex = isEnd ? 2 : 1;
  const name = TAG_NAME.exec(text)?.[0];
  if (name === undefined || !NAME.test(name)) throw malformed('bad element name');
  let position = TAG_NAME.lastIndex;
  const attributes: [string, string][] = [];
  const seen = new Set<string>();
  for (;;) {
    ATTRIBUTE.lastIndex = position;
    const match = ATTRIBUTE.exec(text);
    if (match === null) break;
    const attribute = match[1] ?? '';
    if (!NAME.test(attribute)) throw malformed('bad attribute name');
    // XML 1.0 §3.1: no attribute name appears twice in one tag.
    if (seen.has(attribute)) throw malformed('duplicate attribute');
    seen.add(attribute);
    attributes.push([attribute, attributeValue(match[2] ?? match[3] ?? '')]);
    position = ATTRIBUTE.lastIndex;
  }
  TAG_END.lastIndex = position;
  const end = TAG_END.exec(text);
  if (end === null) throw malformed('bad tag');
  const selfClosing = end[1] === '/';
  if (isEnd && (selfClosing || attributes.length > 0)) throw malformed('bad end tag');
  return { kind: isEnd ? 'end' : 'start', name, attributes, selfClosing };
}

// XML 1.0 §3.3.3: white space in a value counts as a space, unless it is written as a character reference.
function attributeValue(raw: string): string {
  return unescapeText(raw.replace(/\r\n|[\t\n\r]/g, ' '));
}

/** Character data between two tags, with its references replaced. */
export function characterData(raw: string): string {
  if (raw.includes(']]>')) throw malformed('"]]>" in text');
  return unescapeText(normaliseLines(raw));
}

// XML 1.0 §2.11
export function normaliseLines(raw: string): string {
  return raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw;
}

function unescapeText(raw: string): string {
  if (!raw.includes('&')) return raw;
  const text = raw.replace(
    /&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));|&/g,
    (whole, name, decimal, hex) => {
      if (whole === '&') throw malformed('unknown reference');
      if (name !== undefined) return ENTITIES[name] ?? '';
      const code = decimal === undefined ? parseInt(hex, 16) : parseInt(decimal, 10);
      if (!isLegalCodePoint(code)) throw malformed('reference to a character that XML forbids');
      return String.fromCodePoint(code);
    },
  );
  return text;
}

// XML 1.0 §2.2
function isLegalCodePoint(code: number): boolean {
  return (
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  );
}

// oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 §2.2 forbids
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;

/** Whether a text may stand in XML: a server closes the stream on one that may not. */
export function isXmlText(text: string): boolean {
  return !FORBIDDEN.test(text) && text.isWellFormed();
}
