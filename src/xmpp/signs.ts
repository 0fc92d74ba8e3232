import { child, type Element, xml } from './element.ts';

export const NS_SIGNS = 'urn:spherecast:signs:0';

/**
 * Beside a reply: its encrypted text is not a line but all the signs of its author on what it answers. Other programs show
 * a reply, as they would without it; XEP-0444 itself would tell the signs to every server on the way.
 */
export function signsMark(): Element {
  return xml('signs', { xmlns: NS_SIGNS });
}

export function hasSignsMark(message: Element): boolean {
  return child(message, 'signs', NS_SIGNS) !== undefined;
}
