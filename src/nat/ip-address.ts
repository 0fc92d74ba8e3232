import { BlockList, isIPv4, isIPv6 } from 'node:net';

const IPV4_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Home networks (RFC 1918) and what a provider puts between itself and its customers (RFC 6598). */
const PRIVATE = subnets(['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['100.64.0.0', 10]);

/** RFC 6890: nobody outside reaches these. */
const SPECIAL = subnets(
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
);

function subnets(...ranges: readonly (readonly [network: string, prefix: number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, 'ipv4');
  return list;
}

/** Only such an address is asked: a router in the house, never a stranger. */
export function isPrivateAddress(address: string): boolean {
  return isIPv4(address) && PRIVATE.check(address, 'ipv4');
}

/** RFC 4291 §2.5.6: the address means another machine on every link. */
export function isLinkLocal(address: string): boolean {
  const bytes = isIPv6(address) ? addressBytes(address) : undefined;
  return bytes?.[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
}

/** Only such an IPv6 address is asked for pinholes for `own`: of our link, of a home (RFC 4193), or of our very network. */
export function isNeighbour(address: string, own: string): boolean {
  const bytes = isIPv6(address) ? addressBytes(address) : undefined;
  const ownBytes = addressBytes(own);
  if (bytes === undefined || ownBytes === undefined) return false;
  if (isLinkLocal(address) || ((bytes[0] ?? 0) & 0xfe) === 0xfc) return true;
  return bytes.subarray(0, 8).every((byte, index) => byte === ownBytes[index]);
}

/** Whether a router with this outside address can be reached from everywhere. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !PRIVATE.check(address, 'ipv4') && !SPECIAL.check(address, 'ipv4');
  const bytes = addressBytes(address);
  if (bytes === undefined || ((bytes[0] ?? 0) & 0xe0) !== 0x20) return false;
  // RFC 3849: 2001:db8::/32 stands in documents only.
  return !(bytes[0] === 0x20 && bytes[1] === 0x01 && bytes[2] === 0x0d && bytes[3] === 0xb8);
}

/** Sixteen bytes, an IPv4 address as ::ffff:a.b.c.d. undefined when the text is no address; a zone is dropped. */
export function addressBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (isIPv4(text)) return Uint8Array.from([...IPV4_PREFIX, ...text.split('.').map(Number)]);
  if (!isIPv6(text)) return undefined;
  const [head = '', tail] = (text.split('%')[0] ?? '').split('::').map(groups);
  const start = head === '' ? [] : head;
  const end = tail ?? [];
  const zeros = Array.from({ length: 16 - start.length - end.length }, () => 0);
  return Uint8Array.from([...start, ...zeros, ...end]);
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** The text of sixteen bytes, the reverse of `addressBytes`. */
export function addressText(bytes: Uint8Array): string {
  if (IPV4_PREFIX.every((byte, index) => bytes[index] === byte)) return [...bytes.subarray(12, 16)].join('.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const full = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2).toString(16)).join(':');
  // The URL parser writes the one canonical form (RFC 5952).
  return new URL(`http://[${full}]`).hostname.slice(1, -1);
}
