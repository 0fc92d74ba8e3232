// XEP-0147: XMPP URI Scheme Query Components, version 1.2
// RFC 5122: XMPP URIs; XEP-0379: Pre-Authenticated Roster Subscription, version 0.3.1
// XEP-0401: Ad-hoc Account Invitation Generation, version 0.5.0
import type { BareJid, PersonId } from './id.ts';
import { parseBareJid, parsePersonId } from './id.ts';

/** A link or code that names a person. */
export interface XmppUri {
  readonly jid: BareJid;
  /** `roster` asks to be added, `message` to be written to; null for the bare address. */
  readonly action: string | null;
  /** What they would like to be called. */
  readonly name: string | null;
  /** Proves to their server that they gave the link away (XEP-0379). */
  readonly preauth: string | null;
  /** The key that they certify their devices with; null for the code of another program. */
  readonly person: PersonId | null;
  /** Of their OMEMO devices, as Conversations and Dino write them. */
  readonly devices: readonly DeviceInCode[];
}

/** A device and its fingerprint, 64 hex digits. */
export interface DeviceInCode {
  readonly deviceId: number;
  readonly fingerprint: string;
}

const SCHEME = /^xmpp:(?:\/\/[^/]*\/)?/i;
const MAX_LENGTH = 2000;
/** Other programs pass over what they do not know (XEP-0147 §2). */
const PERSON = 'spherecast-person';
const DEVICE = /^omemo-sid-(\d{1,10})$/;
const FINGERPRINT = /^[0-9a-f]{64}$/;
const MAX_DEVICE_ID = 2 ** 31 - 1;

/** Reads `xmpp:` links; undefined for anything else. Whoever gets the result shows it: a link does nothing by itself. */
export function readXmppUri(text: string): XmppUri | undefined {
  const parts = splitUri(text);
  const jid = parts === undefined ? undefined : accountOf(parts.address);
  if (parts === undefined || jid === undefined) return undefined;
  return {
    jid,
    action: parts.action,
    name: parts.value('name'),
    preauth: parts.value('preauth'),
    person: personOf(parts),
    devices: devicesOf(parts),
  };
}

/** A link by which a server lets somebody make an account there (XEP-0401 §3.2, XEP-0379 §3.1 with `ibr`). */
export interface ServerInvitation {
  readonly domain: string;
  /** The address that is meant for the guest; null = any that is free. */
  readonly jid: BareJid | null;
  readonly token: string;
}

export function readServerInvitation(text: string): ServerInvitation | undefined {
  const parts = splitUri(text);
  const token = parts?.value('preauth') ?? null;
  if (parts === undefined || token === null) return undefined;
  const { address, action } = parts;
  const jid = accountOf(address);
  const domain = jid === undefined ? accountOf(`guest@${address}`)?.slice('guest@'.length) : jid.split('@')[1];
  if (domain === undefined) return undefined;
  if (action === 'register') return { domain, jid: jid ?? null, token };
  // The address is that of whoever invites.
  return action === 'roster' && parts.value('ibr') === 'y' ? { domain, jid: null, token } : undefined;
}

interface UriParts {
  readonly address: string;
  readonly action: string | null;
  value(key: string): string | null;
  readonly keys: readonly string[];
}

function splitUri(text: string): UriParts | undefined {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH || !SCHEME.test(trimmed)) return undefined;
  const [path = '', query = ''] =
    trimmed
      .replace(SCHEME, '')
      .split('#', 1)[0]
      ?.split(/\?(.*)/s) ?? [];
  const address = decode(path)?.split('/', 1)[0];
  if (address === undefined) return undefined;
  const [first = '', ...rest] = query.split(';');
  // A code with devices begins with them, without saying what it is for.
  const [action, pairs] = first.includes('=') ? ['', [first, ...rest]] : [first, rest];
  const values = new Map(pairs.map((pair) => splitPair(pair)));
  const value = (key: string): string | null => {
    const found = values.get(key)?.trim().slice(0, 200);
    return found === undefined || found === '' ? null : found;
  };
  return { address, action: action === '' ? null : action, value, keys: [...values.keys()] };
}

/** The link that puts this person on the list of whoever follows it; with `person` it also says by which key they are known. */
export function xmppUriOf(jid: BareJid, name: string | null, person: PersonId | null = null): string {
  const called = name === null ? '' : `;name=${encodeURIComponent(name)}`;
  return `${addressOf(jid)}?roster${called}${person === null ? '' : `;${PERSON}=${person}`}`;
}

/** The code by which the programs of others know these devices to be ours. */
export function devicesUriOf(jid: BareJid, devices: readonly DeviceInCode[]): string {
  return `${addressOf(jid)}?${devices.map(({ deviceId, fingerprint }) => `omemo-sid-${deviceId}=${fingerprint}`).join(';')}`;
}

/** RFC 5122 §2.2: everything but letters, digits and few signs is percent-encoded, each part by itself. */
function addressOf(jid: BareJid): string {
  const at = jid.lastIndexOf('@');
  return `xmpp:${encodeURIComponent(jid.slice(0, at))}@${encodeURIComponent(jid.slice(at + 1)).replace('%3A', ':')}`;
}

function devicesOf({ keys, value }: UriParts): DeviceInCode[] {
  return keys.flatMap((key) => {
    const deviceId = Number(DEVICE.exec(key)?.[1]);
    const fingerprint = value(key)?.toLowerCase() ?? '';
    const isDevice = deviceId > 0 && deviceId <= MAX_DEVICE_ID && FINGERPRINT.test(fingerprint);
    return isDevice ? [{ deviceId, fingerprint }] : [];
  });
}

function personOf(parts: UriParts): PersonId | null {
  try {
    return parsePersonId(parts.value(PERSON) ?? '');
  } catch {
    // The code of another program has none.
    return null;
  }
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
