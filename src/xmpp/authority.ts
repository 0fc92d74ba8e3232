// RFC 6120: XMPP Core, §8.1.2
import { attr, child, children, type Element, NS_CLIENT } from './element.ts';
import { splitJid } from './jid.ts';

/** What may be done with an incoming stanza. A refused one is shown to nobody. */
export type Verdict =
  | { readonly kind: 'deliver' }
  | { readonly kind: 'archive'; readonly queryId: string }
  | { readonly kind: 'refuse'; readonly reason: string };

export interface AuthorityContext {
  /** Our own bare address. */
  readonly own: string;
  /** Whether we have asked this archive (bare address) with this query id and wait for its results. */
  isLiveQuery(queryId: string, archive: string): boolean;
}

const NS_CARBONS = 'urn:xmpp:carbons:2';
const NS_MAM = 'urn:xmpp:mam:2';
const NAMES = new Set(['message', 'presence', 'iq']);

/** Judges who may say what: the server stamps `from` truly, but contents can claim anything. */
export function judgeStanza(stanza: Element, context: AuthorityContext): Verdict {
  if (stanza.getNS() !== NS_CLIENT || !NAMES.has(stanza.name)) return refuse('not a stanza of this stream');
  const to = attr(stanza, 'to');
  if (to !== undefined && splitJid(to).bare !== context.own) return refuse('addressed to somebody else');
  // RFC 6120 §8.1.2.1: a stanza without an author comes from our own account.
  const from = attr(stanza, 'from') ?? context.own;
  if (stanza.name !== 'message') return { kind: 'deliver' };
  // XEP-0280 §11: only our own account copies our messages to us.
  if (hasChild(stanza, NS_CARBONS) && from !== context.own && splitJid(from).bare !== context.own) {
    return refuse('a carbon from somebody else');
  }
  if (hasChild(stanza, NS_CARBONS) && splitJid(from).resource !== undefined) return refuse('a carbon from a device');
  // XEP-0313 §4.2: results come from the archive that was asked.
  const results = children(stanza, 'result', NS_MAM);
  if (results.length === 0) return { kind: 'deliver' };
  const queryId = attr(results[0], 'queryid');
  const sender = splitJid(from);
  if (results.length > 1 || queryId === undefined || sender.resource !== undefined) return refuse('a malformed result');
  if (!context.isLiveQuery(queryId, sender.bare)) return refuse('an archive result that nobody asked for');
  return { kind: 'archive', queryId };
}

function hasChild(stanza: Element, xmlns: string): boolean {
  return child(stanza, 'received', xmlns) !== undefined || child(stanza, 'sent', xmlns) !== undefined;
}

function refuse(reason: string): Verdict {
  return { kind: 'refuse', reason };
}
