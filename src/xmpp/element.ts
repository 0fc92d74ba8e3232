import createElement from 'ltx/lib/createElement.js';
import LtxElement from 'ltx/lib/Element.js';

/** A parsed or built XML element: the library's own class, because the library tests with `instanceof`. */
export type Element = LtxElement;
export const Element = LtxElement;

/** Content of a built element; what is undefined, null or false is left out. */
export type XmlContent = Element | string | undefined | null | false | readonly XmlContent[];

/** Builds an element. An undefined attribute is left out, a number is written in decimal. */
export function xml(
  name: string,
  attrs: Readonly<Record<string, string | number | undefined>> = {},
  ...content: XmlContent[]
): Element {
  return createElement(name, { ...attrs }, ...content);
}

/** The first child with this name in this namespace. */
export function child(parent: Element | undefined, name: string, xmlns?: string): Element | undefined {
  return parent?.getChild(name, xmlns);
}

export function children(parent: Element | undefined, name: string, xmlns?: string): Element[] {
  return parent?.getChildren(name, xmlns) ?? [];
}

/** The text of the first child with this name; undefined when there is no such child. */
export function childText(parent: Element | undefined, name: string, xmlns?: string): string | undefined {
  return parent?.getChild(name, xmlns)?.getText();
}

/** An attribute's value; undefined when it is not there. */
export function attr(element: Element | undefined, name: string): string | undefined {
  if (element === undefined || !Object.hasOwn(element.attrs, name)) return undefined;
  return element.attrs[name];
}

/** A non-negative decimal integer below 2^53, in its one canonical spelling; undefined for anything else. */
export function readInteger(text: string | undefined, max = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === undefined || !/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** The namespaces of RFC 6120 and of the forms that many extensions share. */
export const NS_CLIENT = 'jabber:client';
export const NS_STREAM = 'http://etherx.jabber.org/streams';
export const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
