// XEP-0428: Fallback Indication, version 0.2.1
import { attr, child, children, type Element, readInteger, xml } from '../element.ts';

export const NS_FALLBACK = 'urn:xmpp:fallback:0';

/** A part of a text, in Unicode code points. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** Says that this part of the text is for programs that do not know the extension; without a part all of it is. */
export function fallbackFor(extension: string, range?: TextRange): Element {
  const body = range === undefined ? xml('body') : xml('body', { start: range.start, end: range.end });
  return xml('fallback', { xmlns: NS_FALLBACK, for: extension }, body);
}

/** The part of the text that whoever knows the extension leaves out; undefined when there is no such one part. */
export function readFallbackRange(message: Element, extension: string): TextRange | undefined {
  const fallback = children(message, 'fallback', NS_FALLBACK).find((one) => attr(one, 'for') === extension);
  const body = child(fallback, 'body', NS_FALLBACK);
  const start = readInteger(attr(body, 'start'));
  const end = readInteger(attr(body, 'end'));
  return start === undefined || end === undefined || end < start ? undefined : { start, end };
}
