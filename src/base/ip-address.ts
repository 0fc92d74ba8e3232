/** What an address says of who may be there. Ranges of RFC 6890 unless another specification is named. */

const IPV4_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** A network: the bytes of an address in it, and how many bits all its addresses share. */
interface Range {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Home networks (RFC 1918) and what a provider puts between itself and its customers (RFC 6598). */
const PRIVATE = ranges('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10');
/** RFC 4193. */
const PRIVATE_6 = ranges('fc00::/7');
const LOOPBACK = ranges('127.0.0.0/8', '::1/128');
/** RFC 3927 and RFC 4291 §2.5.6: the address means another machine on every link. */
const LINK_LOCAL = ranges('169.254.0.0/16', 'fe80::/10');
/** This machine, everybody, a group, nobody. */
const NO_DEVICE = [...LOOPBACK, ...ranges('0.0.0.0/8', '224.0.0.0/3', '::/96', 'ff00::/8')];
/** Nobody outside reaches these. */
const SPECIAL = [
  ...NO_DEVICE,
  ...LINK_LOCAL,
  ...ranges('192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'),
];
const IPV4 = ranges('0.0.0.0/0');
/** What the world routes (RFC 4291 §2.4), without what stands in documents only (RFC 3849). */
const GLOBAL_6 = ranges('2000::/3');
const DOCUMENTS_6 = ranges('2001:db8::/32');

/** Whether another device may be reached by this address: never this machine, one link, a group, everybody or nobody. */
export function mayBeDevice(address: string): boolean {
  return isAddress(address) && !isDisguised(address) && !isIn(address, [...NO_DEVICE, ...LINK_LOCAL]);
}

export function isLoopback(address: string): boolean {
  return isIn(address, LOOPBACK) && !isDisguised(address);
}

export function isLinkLocal(address: string): boolean {
  return isIn(address, LINK_LOCAL);
}

/** Of IPv4. Only such an address is asked: a router in the house, never a stranger. */
export function isPrivateAddress(address: string): boolean {
  return !address.includes(':') && isIn(address, PRIVATE);
}

/** Reached without leaving the own network or the provider's, or on this machine. */
export function isNearAddress(address: string): boolean {
  return isIn(address, [...PRIVATE, ...PRIVATE_6, ...LOOPBACK, ...LINK_LOCAL]);
}

/** Only such an IPv6 address is asked for pinholes for `own`: of our link, of a home (RFC 4193), or of our very network. */
export function isNeighbour(address: string, own: string): boolean {
  if (!address.includes(':') || addressBytes(own) === undefined) return false;
  return isIn(address, [...LINK_LOCAL, ...PRIVATE_6, ...ranges(`${own.split('%')[0]}/64`)]);
}

/** Whether a router with this outside address can be reached from everywhere. */
export function isPublicAddress(address: string): boolean {
  if (address.includes(':')) return isIn(address, GLOBAL_6) && !isIn(address, DOCUMENTS_6);
  return isAddress(address) && !isIn(address, [...PRIVATE, ...SPECIAL]);
}

/** The network of an address with its prefix, as `192.168.0.0/22` of `192.168.3.7/22`; undefined for anything else. */
export function networkOf(cidr: string): string | undefined {
  const [address = '', bitsText = ''] = cidr.split('/');
  const bytes = addressBytes(address);
  const unused = (address.includes(':') ? 128 : 32) - Number(bitsText);
  if (bytes === undefined || !/^\d{1,3}$/.test(bitsText) || unused < 0) return undefined;
  const masked = bytes.map((byte, index) => byte & (0xff << Math.max(0, Math.min(8, unused - (15 - index) * 8))));
  return `${addressText(masked)}/${bitsText}`;
}

/** Whether an address lies in a network, given as `192.168.0.0/22`. */
export function isInNetwork(address: string, network: string): boolean {
  const [first = ''] = network.split('/');
  return address.includes(':') === first.includes(':') && isIn(address, ranges(network));
}

/** Who is behind it as far as strangers can be told apart: an IPv4 address, or the /64 that a household has. */
export function householdOf(address: string): string {
  const bytes = addressBytes(address);
  if (bytes === undefined || isIn(address, IPV4)) return bytes === undefined ? address : addressText(bytes);
  return networkOf(`${addressText(bytes)}/64`) ?? address;
}

/** Sixteen bytes, an IPv4 address as ::ffff:a.b.c.d. undefined when the text is no address; a zone is dropped. */
export function addressBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!text.includes(':')) {
    const bytes = bytesOf4(text);
    return bytes === undefined ? undefined : Uint8Array.from([...IPV4_PREFIX, ...bytes]);
  }
  const [address = '', ...zones] = text.split('%');
  if (zones.length > 1 || /[^-0-9a-z.:]|^$/i.test(zones[0] ?? '0')) return undefined;
  return bytesOf6(address);
}

/** The text of sixteen bytes, the reverse of `addressBytes`. */
export function addressText(bytes: Uint8Array): string {
  if (IPV4_PREFIX.every((byte, index) => bytes[index] === byte)) return [...bytes.subarray(12, 16)].join('.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const full = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2).toString(16)).join(':');
  // The URL parser writes the one canonical form (RFC 5952).
  return new URL(`http://[${full}]`).hostname.slice(1, -1);
}

/** An IPv4 address in IPv6 clothes (RFC 4291 §2.5.5): it leads where a rule for IPv4 addresses does not look. */
function isDisguised(address: string): boolean {
  return address.includes(':') && isIn(address, IPV4);
}

function isAddress(text: string): boolean {
  return addressBytes(text) !== undefined;
}

function isIn(address: string, among: readonly Range[]): boolean {
  const bytes = addressBytes(address);
  return bytes !== undefined && among.some((range) => shares(bytes, range));
}

function shares(bytes: Uint8Array, range: Range): boolean {
  return bytes.every((byte, index) => {
    const unused = Math.max(0, Math.min(8, (index + 1) * 8 - range.bits));
    return byte >> unused === (range.bytes[index] ?? 0) >> unused;
  });
}

function ranges(...networks: readonly string[]): Range[] {
  return networks.flatMap((network) => {
    const [address = '', bits = ''] = network.split('/');
    const bytes = addressBytes(address);
    return bytes === undefined ? [] : [{ bytes, bits: Number(bits) + (address.includes(':') ? 0 : 96) }];
  });
}

function bytesOf4(text: string): number[] | undefined {
  const parts = text.split('.');
  const bytes = parts.map(Number);
  // Zeros before a number: an octal one to some.
  const isRead = parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part));
  return isRead && bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** RFC 4291 §2.2. */
function bytesOf6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const halves = text.split(/::/).map((half, index, all) => bytesOfGroups(half, index === all.length - 1));
  const [head, tail] = halves;
  if (head === undefined || halves.length > 2 || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 16 - head.length - (tail?.length ?? 0);
  // The two colons stand for one group at least.
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...head, ...Array.from({ length: missing }, () => 0), ...(tail ?? [])]);
}

function bytesOfGroups(text: string, isLast: boolean): number[] | undefined {
  const groups = text === '' ? [] : text.split(':');
  const bytes = groups.map((group, index) => {
    if (isLast && index === groups.length - 1 && group.includes('.')) return bytesOf4(group);
    const value = Number.parseInt(group, 16);
    return /^[0-9a-f]{1,4}$/i.test(group) ? [value >> 8, value & 0xff] : undefined;
  });
  return bytes.some((one) => one === undefined) ? undefined : bytes.flatMap((one) => one ?? []);
}
