// RFC 7622: XMPP address format
import { type BareJid, parseBareJid } from '../base/id.ts';

/** An address cut at its first slash. `bare` is lower-cased and NFC, `resource` is kept as it is. */
export interface SplitJid {
  readonly bare: string;
  readonly resource: string | undefined;
}

// RFC 7622 §3.1: the first slash ends the domain, a resource may hold more of them.
export function splitJid(text: string): SplitJid {
  const slash = text.indexOf('/');
  const bare = (slash === -1 ? text : text.slice(0, slash)).normalize('NFC').toLowerCase();
  return { bare, resource: slash === -1 ? undefined : text.slice(slash + 1) };
}

/** The bare address inside `text`; undefined when it is not the address of an account or a room. */
export function bareJidOf(text: string | undefined): BareJid | undefined {
  if (text === undefined) return undefined;
  try {
    return parseBareJid(splitJid(text).bare);
  } catch {
    // The address of a server, or no address at all: the caller asked for an account's.
    return undefined;
  }
}

/** Whether two addresses are the same: case does not count before the slash and does after it. */
export function sameJid(a: string, b: string): boolean {
  const left = splitJid(a);
  const right = splitJid(b);
  return left.bare === right.bare && left.resource === right.resource;
}

export function domainOf(jid: BareJid): string {
  return jid.slice(jid.indexOf('@') + 1);
}

export function localPartOf(jid: BareJid): string {
  return jid.slice(0, jid.indexOf('@'));
}
