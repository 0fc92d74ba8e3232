import { oc } from '@orpc/contract';
import * as z from 'zod';
import { bytesSchema, done, infoHashSchema, sphereIdSchema } from './ids.ts';

/** How strangers who share a public torrent are found beside its trackers. Nothing of a sphere is ever looked for so. */

/** Known to most programs; each knows a few nodes of the rest. Names are resolved when they are needed. */
export const DHT_ENTRANCES = [
  'router.bittorrent.com:6881',
  'dht.transmissionbt.com:6881',
  'dht.libtorrent.org:25401',
  'router.utorrent.com:6881',
];

/** A name or an address of IPv4, and a port. */
const entranceSchema = z
  .string()
  .max(260)
  .regex(/^[a-z0-9][a-z0-9.-]*:[1-9][0-9]{0,4}$/i)
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535);

export const dhtEntrancesSchema = z.array(entranceSchema).max(16);

export const findingSchema = z.object({
  /** Ask and tell the DHT (BEP 5). */
  dht: z.boolean(),
  /** Tell strangers about each other, and listen to what they tell (BEP 11). */
  pex: z.boolean(),
  /** Whom the DHT is entered by, `host:port`. */
  dhtNodes: dhtEntrancesSchema,
});
export type Finding = z.infer<typeof findingSchema>;

/** As it is before a person says otherwise: strangers are asked nothing that the makers of a torrent did not name. */
export const NO_FINDING: Finding = { dht: false, pex: false, dhtNodes: [] };

/** How many strangers each way named first, since the torrent was begun or the program started. */
export const foundBySchema = z.object({
  trackers: z.number().int().nonnegative(),
  dht: z.number().int().nonnegative(),
  pex: z.number().int().nonnegative(),
});
export type FoundBy = z.infer<typeof foundBySchema>;

export const publicTorrentCalls = {
  /** Gives members of the sphere the description of a public torrent when they ask. */
  offerMetainfo: oc
    .input(z.object({ sphereId: sphereIdSchema, infoHash: infoHashSchema, metainfo: bytesSchema }))
    .output(done),
  /** Holds for public torrents from now on. */
  setFinding: oc.input(findingSchema).output(done),
};
