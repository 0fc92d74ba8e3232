// Namespaces in XML 1.0 (third edition)
import { Element } from './element.ts';
import type { Tag } from './xml-syntax.ts';

const NS_XML = 'http://www.w3.org/XML/1998/namespace';
/** Beyond this many prefixes in scope the copies would cost more than the stanza. */
const MAX_PREFIXES = 32;
export const NO_NAMESPACES: ReadonlyMap<string, string> = new Map();

export interface ResolvedName {
  readonly element: Element;
  readonly namespace: string | undefined;
  /** Prefix (empty: none) to namespace, for the element's content. */
  readonly namespaces: ReadonlyMap<string, string>;
  /** False for an unbound or reserved prefix, and for an element without a namespace, which no stanza holds. */
  readonly isValid: boolean;
}

/**
 * The element under its local name, with its namespace spelled out where it differs from the parent's,
 * so that no reader has to know about prefixes.
 */
export function resolveNames(
  tag: Tag,
  inherited: ReadonlyMap<string, string> = NO_NAMESPACES,
  parentNamespace?: string,
): ResolvedName {
  const declared = declaredIn(tag, inherited);
  const namespaces = declared ?? inherited;
  const [prefix, local] = cut(tag.name);
  const namespace = namespaces.get(prefix);
  const element = new Element(local);
  let isValid = namespace !== undefined && namespace !== '' && !local.includes(':') && local !== '';
  if (declared === undefined && hasDeclaration(tag)) isValid = false;
  for (const [name, value] of tag.attributes) {
    if (name === 'xmlns') continue;
    if (name.includes(':') && !isBound(cut(name)[0], namespaces)) isValid = false;
    element.attrs[name] = value;
  }
  if (namespace !== parentNamespace) element.attrs['xmlns'] = namespace;
  return { element, namespace, namespaces, isValid };
}

function cut(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(':');
  return colon === -1 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)];
}

function isBound(prefix: string, namespaces: ReadonlyMap<string, string>): boolean {
  return prefix === 'xml' || prefix === 'xmlns' || (prefix !== '' && namespaces.has(prefix));
}

function hasDeclaration(tag: Tag): boolean {
  return tag.attributes.some(([name]) => name === 'xmlns' || name.startsWith('xmlns:'));
}

/** The scope inside the tag; undefined when it declares nothing, or something that §3 and §5 forbid. */
function declaredIn(tag: Tag, inherited: ReadonlyMap<string, string>): ReadonlyMap<string, string> | undefined {
  if (!hasDeclaration(tag)) return undefined;
  const scope = new Map(inherited);
  for (const [name, value] of tag.attributes) {
    if (name !== 'xmlns' && !name.startsWith('xmlns:')) continue;
    const prefix = name === 'xmlns' ? '' : name.slice(6);
    const isReserved = prefix === 'xmlns' || (prefix === 'xml') !== (value === NS_XML);
    if (isReserved || (name !== 'xmlns' && (value === '' || prefix === ''))) return undefined;
    scope.set(prefix, value);
  }
  return scope.size > MAX_PREFIXES ? undefined : scope;
}
