// BEP 14: Local Service Discovery, version 20150210; Spherecast wire format, "LAN announcements"
import { createHmac } from 'node:crypto';

export interface LanGroup {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
}

/** BEP 14: the groups of both families. */
export const LAN_GROUPS: readonly LanGroup[] = [
  { family: 4, address: '239.192.152.143', port: 6771 },
  { family: 6, address: 'ff15::efc0:988f', port: 6771 },
];

/** What a device says in its network: on which port it is called, and for which spheres. */
export interface LanAnnounce {
  readonly port: number;
  /** Tells our own announcements from those of others. */
  readonly cookie: string;
  /** One per sphere and day, 40 hex digits; it stands where others put an info hash. */
  readonly tags: readonly string[];
}

const DAY_MS = 86_400_000;
/** BEP 14: a packet should not be longer than the smallest maximum of the path. */
const LONGEST_PACKET = 1_400;
const TAGS_PER_PACKET = 20;
const COOKIE = /^[\x21-\x7e]{1,64}$/;
const TAG = /^[0-9a-f]{40}$/i;

/** What names a sphere on one day (counted from 1970, UTC) to those who know its LAN key, and nothing to others. */
export function lanTag(lanKey: Uint8Array, timeMs: number): string {
  const day = String(Math.floor(timeMs / DAY_MS));
  return createHmac('sha256', lanKey).update(day, 'ascii').digest('hex').slice(0, 40);
}

/** The tags by which a sphere may be named now by clocks that differ by up to a day. */
export function lanTagsAround(lanKey: Uint8Array, timeMs: number): string[] {
  return [timeMs - DAY_MS, timeMs, timeMs + DAY_MS].map((time) => lanTag(lanKey, time));
}

/** As many packets as the tags need. */
export function formatLanAnnounce(announce: LanAnnounce, group: LanGroup): Uint8Array<ArrayBuffer>[] {
  const host = group.family === 6 ? `[${group.address}]` : group.address;
  const count = Math.ceil(announce.tags.length / TAGS_PER_PACKET);
  return Array.from({ length: count }, (_, index) => {
    const tags = announce.tags.slice(index * TAGS_PER_PACKET, (index + 1) * TAGS_PER_PACKET);
    const lines = [
      'BT-SEARCH * HTTP/1.1',
      `Host: ${host}:${group.port}`,
      `Port: ${announce.port}`,
      ...tags.map((tag) => `Infohash: ${tag}`),
      `cookie: ${announce.cookie}`,
    ];
    return Uint8Array.from(Buffer.from(`${lines.join('\r\n')}\r\n\r\n\r\n`, 'latin1'));
  });
}

/** undefined for anything that is not an announcement; names of fields in any case, unknown ones passed over. */
export function parseLanAnnounce(packet: Uint8Array): LanAnnounce | undefined {
  if (packet.length > LONGEST_PACKET) return undefined;
  const [request = '', ...lines] = Buffer.from(packet).toString('latin1').split('\r\n');
  if (!/^BT-SEARCH \* HTTP\/1\.[01]$/.test(request)) return undefined;
  let port = 0;
  let cookie = '';
  const tags: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'port' && /^[0-9]{1,5}$/.test(value)) port = Number(value);
    else if (name === 'cookie' && COOKIE.test(value)) cookie = value;
    else if (name === 'infohash' && TAG.test(value) && tags.length < TAGS_PER_PACKET) tags.push(value.toLowerCase());
  }
  if (port < 1 || port > 65_535 || tags.length === 0) return undefined;
  return { port, cookie, tags };
}
