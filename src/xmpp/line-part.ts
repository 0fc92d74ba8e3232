import { toBase64 } from '../base/bytes.ts';
import { readBase64 } from './base64-text.ts';
import { children, type Element, xml } from './element.ts';

export const NS_PART = 'urn:spherecast:part:0';
const MAX_BYTES = 1024;

/** Beside a line that is a piece of a longer text; `sealed` says which, to whoever can read the line. */
export function partElement(sealed: Uint8Array): Element {
  return xml('part', { xmlns: NS_PART }, toBase64(sealed));
}

export function readPart(message: Element): Uint8Array | undefined {
  const found = children(message, 'part', NS_PART);
  return found.length === 1 ? readBase64(found[0], MAX_BYTES) : undefined;
}
