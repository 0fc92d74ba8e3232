import { eventIterator, oc } from '@orpc/contract';
import * as z from 'zod';
import { ERROR_CODES } from '../base/errors.ts';
import { bytesSchema as bytes, deviceKeySchema, done, infoHashSchema, inSphere, sphereIdSchema } from './ids.ts';
import { foundBySchema, publicTorrentCalls } from './finding.ts';
import { openedCalls } from './opened.ts';
import { limitsSchema, NO_LIMITS, prioritySchema } from './views.ts';

/** What the engine asks of the swarm process, which knows torrents, keys and addresses but no people. */

const count = z.number().int().nonnegative();

/** What a file was when it was hashed or opened; nanoseconds and inode as decimal text. */
export const fileIdentitySchema = z.object({
  size: count,
  mtimeNs: z.string(),
  ctimeNs: z.string(),
  inode: z.string(),
});
export type FileIdentity = z.infer<typeof fileIdentitySchema>;

/** A part of the torrent's byte space. What no segment covers is zero padding, which is never stored. */
export const segmentSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('file'),
    offset: count,
    length: count,
    /** Absolute. Sharers read it in place, receivers write it decrypted. */
    path: z.string(),
    /** The folder that must contain the file after links are resolved; null for a sharer's own original. */
    root: z.string().nullable(),
    /** For files that are shared or complete: what they must still be at every read. */
    identity: fileIdentitySchema.nullable(),
  }),
  z.object({ kind: z.literal('bytes'), offset: count, bytes }),
]);
export type Segment = z.infer<typeof segmentSchema>;

/** Of so many at most one message tells: a process that reads a longer list at once answers nothing meanwhile. */
export const SEGMENTS_TOGETHER = 2000;

/** The name of a list of segments that was told before, in parts; it stands in front of those that are told here. */
const staged = z.string().max(40).optional();

/** The keys of one epoch, derived by HKDF from its epoch key. */
export const epochKeysSchema = z.object({ admission: bytes, tracker: bytes, lan: bytes });
export type EpochKeys = z.infer<typeof epochKeysSchema>;

/**
 * How a stream reaches the other device: in the same network, over IPv6, over IPv4 (mapped or open), or as a WebRTC
 * stream, direct or over a relay.
 */
export const pathSchema = z.enum(['lan', 'ipv6', 'tcp', 'webrtc', 'turn']);
export type Path = z.infer<typeof pathSchema>;

export const swarmPeerSchema = z.object({
  infoHash: infoHashSchema,
  device: deviceKeySchema,
  /** `host:port` of the other end as seen from here, or of the relay. */
  address: z.string(),
  path: pathSchema,
  bytesHave: count,
  downBps: count,
  upBps: count,
});
export type SwarmPeer = z.infer<typeof swarmPeerSchema>;

/**
 * What two devices tell each other to open a WebRTC connection, one record per ephemeral sealed message. The characters
 * and lengths allowed keep a sealed record far below 8 KiB.
 */
export const rtcSignalSchema = z.object({
  /** Chosen at random by who offers; what belongs to another session is stale. */
  session: z.string().regex(/^[0-9a-f]{32}$/),
  kind: z.enum(['offer', 'answer', 'candidate', 'end']),
  /** A session description, candidates (one a line), or nothing. */
  text: z.string().regex(/^[ !#-[\]-~\r\n]{0,2048}$/),
  /** The part of the description that candidates belong to. */
  mid: z.string().regex(/^[0-9A-Za-z]{0,16}$/),
});
export type RtcSignal = z.infer<typeof rtcSignalSchema>;

/** A STUN or TURN server, from XEP-0215 or a setting; no other is ever asked. */
export const iceServerSchema = z.object({
  urls: z.array(z.string().max(300)).max(8),
  username: z.string().max(512).default(''),
  password: z.string().max(512).default(''),
});
export type IceServer = z.infer<typeof iceServerSchema>;

/** `host:port`, an IPv6 address in brackets. */
const endpoint = z.string().max(64);

/** How a call of an endpoint of the internet's IPv4 ended: admitted, nothing answered, or something else than the member answered. */
export const reachOutcomeSchema = z.enum(['reached', 'unreachable', 'refused']);
export type ReachOutcome = z.infer<typeof reachOutcomeSchema>;

/** One member's word about an endpoint of another. */
const reachSchema = z.object({
  sphereId: sphereIdSchema,
  device: deviceKeySchema,
  endpoint,
  outcome: reachOutcomeSchema,
  /** `host:port` from which the other end's streams come, as the one who tells sees them; null = none came. */
  seenAs: endpoint.nullable(),
});
export type SwarmReach = z.infer<typeof reachSchema>;

/** What is known of the ways in and out of this machine. */
export const networkSchema = z.object({
  ports: z.array(
    z.object({
      purpose: z.enum(['data', 'tracker', 'extra']),
      /** 0 = could not be opened. */
      port: count,
      /**
       * `open`: a member came in; `unconfirmed`: the router says open, nobody tried it yet; `lied`: the router says open,
       * members say that nobody answers; `unmapped`: no router is asked.
       */
      state: z.enum(['searching', 'open', 'unconfirmed', 'unreachable', 'closed', 'lied', 'unmapped']),
      /** null with an open port: a person set it in the router. */
      via: z.enum(['pcp', 'nat-pmp', 'upnp']).nullable(),
      outside: endpoint.nullable(),
      /** Why it could not be listened on, as the system names it (`EACCES`); null = it is. */
      failure: z.string().nullable(),
    }),
  ),
  /** Doors in the router's IPv6 firewall. */
  pinholes: z.array(z.object({ address: z.string(), port: count, open: z.boolean() })),
  interfaces: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      family: z.union([z.literal(4), z.literal(6)]),
      discovery: z.enum(['on', 'off', 'failed']),
    }),
  ),
  /** Announcements of members heard in the own network. */
  lanHeard: count,
  webrtc: z.enum(['ready', 'unavailable']),
  /** How many usable servers were set. */
  iceServers: z.object({ stun: count, turn: count }),
  /** The best connection to each device now. */
  links: z.array(
    z.object({ sphereId: sphereIdSchema, device: deviceKeySchema, path: pathSchema, address: z.string() }),
  ),
  /** Connections on which answers are overdue: the network may be gone. */
  suspect: count,
  /** How each path to each known device fared last. */
  attempts: z.array(
    z.object({
      sphereId: sphereIdSchema,
      device: deviceKeySchema,
      path: pathSchema,
      outcome: z.enum(['untried', 'connected', 'unreachable', 'refused', 'no-address']),
      /** Wall clock, ms since 1970; 0 = never. */
      atMs: count,
    }),
  ),
});
export type NetworkState = z.infer<typeof networkSchema>;

const hashing = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('progress'),
    bytesDone: count,
    /** Digests that follow those told before, without a gap: what another run can go on from. */
    pieces: bytes,
  }),
  z.object({
    kind: z.literal('done'),
    /** Concatenated SHA-1 of every piece of the ciphertext. */
    pieces: bytes,
    /** In the order of the file segments; none when each of these said what its file is: it is that still. */
    identities: z.array(fileIdentitySchema),
  }),
]);
export type Hashing = z.infer<typeof hashing>;

export const torrentStateSchema = z.object({
  infoHash: infoHashSchema,
  state: z.enum([
    'starting',
    'downloading',
    'partial',
    'paused',
    'complete',
    'changed',
    'missing',
    'disk-full',
    'failed',
  ]),
  error: z.object({ code: z.enum(ERROR_CODES), message: z.string() }).nullable(),
  bytesHave: count,
  downBps: count,
  upBps: count,
  peers: count,
  /** Connected peers that hold every piece. */
  seeds: count,
  /** Of a public one. */
  foundBy: foundBySchema.optional(),
});
export type TorrentState = z.infer<typeof torrentStateSchema>;

/** An endpoint of ours that the device is asked to try. */
const probe = { sphereId: sphereIdSchema, device: deviceKeySchema, endpoint };

const fetched = {
  sphereId: sphereIdSchema,
  /** At most as many as one ephemeral message tells. */
  infoHashes: z.array(infoHashSchema).max(64),
  /** Even the metainfo is lacking: it is to be brought, nothing else can be. */
  metainfo: z.boolean(),
};

export const swarmEventSchema = z.discriminatedUnion('kind', [
  /** The whole bitfield (BEP 3 bit order) each time pieces were verified and written. */
  z.object({
    kind: z.literal('have'),
    infoHash: infoHashSchema,
    bitfield: bytes,
    bytesHave: count,
    /** Set when the last piece was written and the files synced: their identity from now on. */
    identities: z.array(fileIdentitySchema).nullable(),
  }),
  z.object({ kind: z.literal('state'), torrent: torrentStateSchema }),
  z.object({ kind: z.literal('peers'), peers: z.array(swarmPeerSchema) }),
  /** Where other members can reach this device now; tell them. */
  z.object({
    kind: z.literal('candidates'),
    endpoints: z.array(z.string()),
    trackers: z.array(z.string()),
    mapped: z.string().nullable(),
    /** Whether WebRTC signals are of use to this device. */
    webrtc: z.boolean(),
  }),
  /** To be sealed and sent to that device at once, in order. */
  z.object({ kind: z.literal('signal'), sphereId: sphereIdSchema, device: deviceKeySchema, signal: rtcSignalSchema }),
  /** What came of calling an endpoint of that device, which may be a mapping of its router: tell it. Rate-limited here. */
  reachSchema.extend({ kind: z.literal('reached') }),
  /** Ask that device whether this endpoint leads here. */
  z.object({ kind: z.literal('probe'), ...probe }),
  /** Torrents that are fetched from now on; tell those who may have them, because not everybody can be called. */
  z.object({ kind: z.literal('fetching'), ...fetched }),
  /** Only when it changed, at most once a second. */
  z.object({ kind: z.literal('network'), network: networkSchema }),
  z.object({ kind: z.literal('totals'), downBps: count, upBps: count, peers: count, port: count }),
]);
export type SwarmEvent = z.infer<typeof swarmEventSchema>;

const parts = z.array(z.object({ from: count, to: count }));
const publicSpecSchema = z.object({
  infoHash: infoHashSchema,
  /** Whole .torrent, checked again before anything is done with it. */
  metainfo: bytes,
  segments: z.array(segmentSchema),
  staged,
  /** Pieces known to be on disk; null = none. */
  bitfield: bytes.nullable(),
  paused: z.boolean(),
  /** false = fetch only what windows ask for. */
  background: z.boolean(),
  /** With `background`: only these parts of the byte space, `to` exclusive; null = everything. */
  wanted: parts.nullable().default(null),
  /** Parts that are known to be on the disk for good, and those that were written and that it may have refused. */
  synced: parts.default([]),
  doubted: parts.default([]),
  priority: prioritySchema.default('normal'),
  limits: limitsSchema.default(NO_LIMITS),
});

const torrentSpecSchema = publicSpecSchema.extend({
  sphereId: sphereIdSchema,
  /** Spheres that this one goes on with: who is still there alone gives and gets the bytes too. */
  alsoIn: z.array(sphereIdSchema).max(16).default([]),
  /** null = keep and serve the bytes as they are (a blind box). */
  mediaKey: bytes.nullable(),
});

/** A torrent that is not held, and why. */
export const refusedTorrentSchema = z.object({
  infoHash: infoHashSchema,
  code: z.enum(ERROR_CODES),
  message: z.string(),
});
export type RefusedTorrent = z.infer<typeof refusedTorrentSchema>;

export const swarmContract = {
  /** First call of all: identity of this device and where to listen. Answers with the ports really taken, 0 = none. */
  start: oc
    .input(
      z.object({
        deviceKey: deviceKeySchema,
        /** PKCS#8 DER of the Ed25519 device key. */
        devicePrivateKey: bytes,
        /** Preferred port, 0 = any. */
        dataPort: count,
        /** Addresses to listen on; empty = all. */
        addresses: z.array(z.string()),
        mapPorts: z.boolean(),
        /** The own addresses by which to find and be found in their networks. */
        discoverOn: z.array(z.string()).default([]),
        /** Also listened on when possible, for members whom only some ports are open to. */
        extraPorts: z.array(z.number().int().min(1).max(65_535)).max(4).default([]),
        tracker: z.boolean().default(true),
        limits: limitsSchema,
      }),
    )
    .output(z.object({ dataPort: count, trackerPort: count })),
  /** Keys of the current and the previous epoch (newest first), the devices that may connect, and how fast they may. */
  setSphere: oc
    .input(
      z.object({
        sphereId: sphereIdSchema,
        epochs: z.array(epochKeysSchema),
        devices: z.array(deviceKeySchema),
        limits: limitsSchema.default(NO_LIMITS),
      }),
    )
    .output(done),
  removeSphere: oc.input(inSphere).output(done),
  /** A member's addresses and trackers, as told in an ephemeral sealed message. */
  setEndpoints: oc
    .input(
      z.object({
        sphereId: sphereIdSchema,
        device: deviceKeySchema,
        endpoints: z.array(z.string()).max(32),
        trackers: z.array(z.string()).max(8),
        /** Whether the member said that it understands WebRTC signals. */
        webrtc: z.boolean().default(false),
      }),
    )
    .output(done),
  /** Replaces all that were set before. */
  setIceServers: oc.input(z.object({ servers: z.array(iceServerSchema).max(16) })).output(done),
  /** A device's WebRTC signal, as it came in its order. */
  signal: oc.input(inSphere.extend({ device: deviceKeySchema, signal: rtcSignalSchema })).output(done),
  /** Replaces the addresses of discovery: one that is new takes part in nothing before it is named here. */
  setDiscovery: oc.input(z.object({ addresses: z.array(z.string()) })).output(done),
  /** A member's word about one of our endpoints. */
  reached: oc.input(reachSchema).output(done),
  /** That device asks whether its endpoint leads to it; what came of it is told as `reached`. */
  probe: oc.input(z.object(probe)).output(done),
  /** That device fetches these torrents: whoever has them calls it now. */
  fetching: oc.input(z.object({ device: deviceKeySchema, ...fetched })).output(done),
  /** The network came back or is another one: nothing that failed before counts. */
  networkChanged: oc.output(done),
  /** A part of a long list of segments, for one later call that names the list. */
  stage: oc
    .input(z.object({ list: z.string().max(40), segments: z.array(segmentSchema).max(SEGMENTS_TOGETHER) }))
    .output(done),
  /** Encrypts and hashes in one pass; ends with `file-changed` when a file was touched meanwhile. */
  hash: oc
    .input(
      z.object({
        segments: z.array(segmentSchema),
        staged,
        length: count,
        pieceLength: count,
        /** null = plain item, hashed as it is. */
        mediaKey: bytes.nullable(),
        /** Digests of the first pieces, from an earlier run over the same files under the same key. */
        known: bytes.optional(),
      }),
    )
    .output(eventIterator(hashing)),
  /** Holds these from now on, in place of those with the same info hash; one that is refused does not keep the others out. */
  addAll: oc
    .input(z.object({ torrents: z.array(torrentSpecSchema).max(1000) }))
    .output(z.object({ refused: z.array(refusedTorrentSchema) })),
  /** The same for torrents from elsewhere, which strangers take part in: they run in a client of their own. */
  addPublic: oc
    .input(
      z.object({
        /** `listedIn`: whose limits hold for it too. */
        torrents: z.array(publicSpecSchema.extend({ listedIn: sphereIdSchema.nullable().default(null) })).max(1000),
      }),
    )
    .output(z.object({ refused: z.array(refusedTorrentSchema) })),
  ...publicTorrentCalls,
  ...openedCalls,
  remove: oc.input(z.object({ infoHash: infoHashSchema })).output(done),
  pause: oc.input(z.object({ infoHash: infoHashSchema })).output(done),
  resume: oc.input(z.object({ infoHash: infoHashSchema })).output(done),
  setPriority: oc.input(z.object({ infoHash: infoHashSchema, priority: prioritySchema })).output(done),
  /** Bytes a reader wants next, in the torrent's byte space; `to` is exclusive, an empty range drops the reader. */
  window: oc.input(z.object({ infoHash: infoHashSchema, reader: z.string(), from: count, to: count })).output(done),
  /** Of one torrent, or of everything together. */
  setLimits: oc.input(limitsSchema.extend({ infoHash: infoHashSchema.optional() })).output(done),
  /** Asks the given sphere's online members for a metainfo too large for a stanza. */
  fetchMetainfo: oc
    .input(z.object({ sphereId: sphereIdSchema, infoHash: infoHashSchema, sha256: bytes, maxBytes: count }))
    .output(z.object({ metainfo: bytes })),
  heartbeat: oc.output(done),
  /** In order, those that gathered meanwhile together. */
  events: oc.output(eventIterator(z.array(swarmEventSchema))),
  stop: oc.output(done),
};
export type SwarmContract = typeof swarmContract;
