import { BlockList, isIP } from 'node:net';

/** Whether an address may be called because a stranger named it. */
export type AddressPolicy = (address: string) => boolean;

/** Networks that are somebody's own, a provider's inside, or no computer at all (RFC 6890 and what it names). */
const NOT_THE_INTERNET = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  NOT_THE_INTERNET.addSubnet(net, prefix, 'ipv4');
}

/** RFC 4291: what is given out to anybody; of it the parts that carry IPv4 addresses inside. */
const GIVEN_OUT = new BlockList();
GIVEN_OUT.addSubnet('2000::', 3, 'ipv6');
for (const [net, prefix] of [
  ['2001::', 32],
  ['2002::', 16],
] as const) {
  NOT_THE_INTERNET.addSubnet(net, prefix, 'ipv6');
}

/** True for an address on the internet that belongs to no network of our own. Names are none. */
export function isInternetAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !NOT_THE_INTERNET.check(address, 'ipv4');
  // An IPv4 address in IPv6 form lies outside of what is given out.
  return family === 6 && GIVEN_OUT.check(address, 'ipv6') && !NOT_THE_INTERNET.check(address, 'ipv6');
}
