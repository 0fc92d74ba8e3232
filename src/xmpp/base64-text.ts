import { fromBase64 } from '../base/bytes.ts';
import type { Element } from './element.ts';

/** The bytes that an element's text spells in base64; undefined when it does not, or for more than `maxBytes`. */
export function readBase64(element: Element | undefined, maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
  const text = element?.getText();
  // White space may break lines, so a little more than the plain length is let through to the decoder.
  if (text === undefined || text.length > Math.ceil(maxBytes / 3) * 4 * 1.1 + 64) return undefined;
  const bytes = fromBase64(text);
  return bytes === undefined || bytes.length > maxBytes ? undefined : bytes;
}
