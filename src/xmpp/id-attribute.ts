import { attr, type Element } from './element.ts';

const MAX_ID = 1024;

/** The id that an element names; undefined when it names none, or one longer than any program makes. */
export function idAttribute(element: Element | undefined): string | undefined {
  const id = attr(element, 'id');
  return id !== undefined && id !== '' && id.length <= MAX_ID ? id : undefined;
}
