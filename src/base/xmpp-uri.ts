// XEP-0147: XMPP URI Scheme Query Components, version 1.2
// RFC 5122: XMPP URIs; XEP-0379: Pre-Authenticated Roster Subscription, version 0.3.1
import type { BareJid } from './id.ts';
import { parseBareJid } from './id.ts';

/** A link or code that names a person. */
export interface XmppUri {
  readonly jid: BareJid;
  /** `roster` asks to be added, `message` to be written to; null for the bare address. */
  readonly action: string | null;
  /** What they would like to be called. */
  readonly name: string | null;
  /** Proves to their server that they gave the link away (XEP-0379). */
  readonly preauth: string | null;
}

const SCHEME = /^xmpp:(?:\/\/[^/]*\/)?/i;
const MAX_LENGTH = 2000;

/** Reads `xmpp:` links; undefined for anything else. Whoever gets the result shows it: a link does nothing by itself. */
export function readXmppUri(text: string): XmppUri | undefined {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH || !SCHEME.test(trimmed)) return undefined;
  const [path = '', query = ''] =
    trimmed
      .replace(SCHEME, '')
      .split('#', 1)[0]
      ?.split(/\?(.*)/s) ?? [];
  const address = decode(path)?.split('/', 1)[0];
  const [action, ...pairs] = query.split(';');
  const jid = address === undefined ? undefined : accountOf(address);
  if (jid === undefined) return undefined;
  const values = new Map(pairs.map((pair) => splitPair(pair)));
  const value = (key: string): string | null => {
    const found = values.get(key)?.trim().slice(0, 200);
    return found === undefined || found === '' ? null : found;
  };
  return {
    jid,
    action: action === undefined || action === '' ? null : action,
    name: value('name'),
    preauth: value('preauth'),
  };
}

/** The link that puts this person on the list of whoever follows it. */
export function xmppUriOf(jid: BareJid, name: string | null): string {
  const at = jid.lastIndexOf('@');
  // RFC 5122 §2.2: everything but letters, digits and few signs is percent-encoded, each part by itself.
  const address = `${encodeURIComponent(jid.slice(0, at))}@${encodeURIComponent(jid.slice(at + 1)).replace('%3A', ':')}`;
  return `xmpp:${address}?roster${name === null ? '' : `;name=${encodeURIComponent(name)}`}`;
}

function splitPair(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at === -1 ? [pair, ''] : [pair.slice(0, at), decode(pair.slice(at + 1)) ?? ''];
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A broken percent sign: the link is malformed.
    return undefined;
  }
}

function accountOf(address: string): BareJid | undefined {
  try {
    return parseBareJid(address);
  } catch {
    // The address of a server or a room without a name, or none at all.
    return undefined;
  }
}
