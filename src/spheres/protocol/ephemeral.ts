import * as z from 'zod';
import { concatBytes, fromHex, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { DeviceKey, EventId, SphereId } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';
import { infoHashSchema } from '../../contract/ids.ts';
import { reachOutcomeSchema, rtcSignalSchema } from '../../contract/swarm.ts';
import { AEAD_OVERHEAD, decryptAead, encryptAead } from './aead.ts';
import type { Json } from './canonical-json.ts';
import { decodeCanonical, encodeCanonical } from './canonical-json.ts';
import type { EpochSecrets } from './epoch.ts';
import type { DeviceSigningKey } from './keys.ts';
import { isSignedBy, SIGNATURE_BYTES, signFor } from './keys.ts';

export const EPHEMERAL_NAMESPACE = 'urn:spherecast:ephemeral:0';
const EPHEMERAL_VERSION = 1;
const MAX_RECORD_BYTES = 8192;

/** What the ephemeral element says in its attributes. `epoch` is the id of the epoch event. */
export interface EphemeralContext {
  readonly sphere: SphereId;
  readonly epoch: EventId;
}

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const deviceKey = hex64.transform((text) => text as DeviceKey);
const eventId = hex64.transform((text) => text as EventId);
const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const port = z.string().min(3).max(300);
const bodySchemas = {
  /** Where the sender's device can be reached now: `host:port` with IPv6 in brackets, tracker URLs. */
  endpoints: z.object({
    endpoints: z.array(port).max(32),
    trackers: z.array(port).max(8),
    /** Whether WebRTC signals are of use to it; left out = no. */
    webrtc: z.boolean().optional(),
  }),
  /**
   * The newest event of each device that the sender has, and every branch of a forked one; by device. They are all it
   * has of the devices above `after` and up to `until`; left out = from the first, to the last. `isAsking`: the sender
   * waits for what others have, also when that is the same; left out = no.
   */
  heads: z.object({
    heads: z.array(z.object({ device: deviceKey, sequence: count, hash: eventId })).max(40),
    after: deviceKey.optional(),
    until: deviceKey.optional(),
    isAsking: z.boolean().optional(),
  }),
  /** Events that the device `to` is asked to pass on to the sender. */
  want: z.object({
    to: hex64,
    ranges: z.array(z.object({ device: deviceKey, from: count, to: count })).max(32),
    ids: z.array(eventId).max(32),
    /** Whether the sender takes what is much as a history pack; left out = no. */
    packs: z.boolean().optional(),
  }),
  /** The sender needs nothing more of the history pack that the device `to` has for it. */
  'pack-end': z.object({ to: hex64, infoHash: infoHashSchema }),
  typing: z.object({ isTyping: z.boolean() }),
  /** The sender's device has everything that these devices said up to these numbers. */
  have: z.object({
    marks: z.array(z.object({ device: hex64, sequence: z.number().int().nonnegative() })).max(64),
    /** The sender was away: whoever reads this is to say the same of theirs. */
    isAsking: z.boolean(),
  }),
  /** A step in opening a WebRTC connection with the device `to`. */
  rtc: z.object({ to: hex64, signal: rtcSignalSchema }),
  /** What came of calling an endpoint of the device `to`; `seenAs` is where its own calls come from. */
  reach: z.object({
    to: hex64,
    endpoint: z.string().max(64),
    outcome: reachOutcomeSchema,
    seenAs: z.string().max(64).nullable(),
  }),
  /** The device `to` is asked to try an endpoint of the sender, and to answer by `reach`. */
  probe: z.object({ to: hex64, endpoint: z.string().max(64) }),
  /** Torrents that the sender fetches from now on: whoever has them calls it, because it may not be able to call. */
  fetching: z.object({
    infoHashes: z.array(infoHashSchema).min(1).max(64),
    /** Whether it lacks even their metainfo, which is to be brought; left out = no. */
    metainfo: z.boolean().optional(),
  }),
} as const;

type Known = keyof typeof bodySchemas;
/** What each kind says, as it is read. */
export type EphemeralBodies = { readonly [K in Known]: z.output<(typeof bodySchemas)[K]> };
/** What each kind says, as it is written. */
export type EphemeralInput = { readonly [K in Known]: z.input<(typeof bodySchemas)[K]> };
export type EphemeralBody =
  | { [K in Known]: { readonly kind: K; readonly body: EphemeralBodies[K] } }[Known]
  | { readonly kind: 'unknown'; readonly name: string; readonly body: Json };

export type EphemeralMessage = EphemeralBody & {
  readonly device: DeviceKey;
  /** Grows with every message of a device; milliseconds since the epoch, or one more than the last. */
  readonly counter: number;
};

const recordSchema = z.strictObject({
  v: z.literal(EPHEMERAL_VERSION),
  sphere: hex64,
  epoch: hex64,
  device: hex64,
  counter: z.number().int().nonnegative(),
  kind: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  body: z.custom<Json>((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
});

/** The content of the ephemeral element: signed by the device, then encrypted under the epoch. */
export function sealEphemeral<K extends Known>(
  input: {
    readonly context: EphemeralContext;
    readonly epoch: EpochSecrets;
    readonly device: DeviceSigningKey;
    readonly counter: number;
    readonly random: RandomBytes;
  },
  kind: K,
  body: EphemeralInput[K],
): Uint8Array<ArrayBuffer> {
  const record = encodeCanonical({
    v: EPHEMERAL_VERSION,
    sphere: input.context.sphere,
    epoch: input.context.epoch,
    device: input.device.id,
    counter: input.counter,
    kind,
    body: bodySchemas[kind].parse(body),
  });
  if (record.length > MAX_RECORD_BYTES) {
    throw new AppError('too-large', 'the message is too long to be ephemeral', { bytes: record.length });
  }
  const signed = concatBytes(signFor('ephemeral', input.device, record), record);
  return encryptAead(
    { key: input.epoch.ephemeral, context: contextBytes(input.context), random: input.random },
    signed,
  );
}

/**
 * Throws `forged` for anything that is not a new message of the device that it names, and `not-a-member`, with that device,
 * when it has no say.
 * `lastCounter` gives the counter last heard of a device, -1 for none yet, undefined for a device that has no say.
 */
export function openEphemeral(
  input: {
    readonly context: EphemeralContext;
    readonly epoch: EpochSecrets;
    readonly lastCounter: (device: DeviceKey) => number | undefined;
  },
  sealed: Uint8Array,
): EphemeralMessage {
  if (sealed.length > MAX_RECORD_BYTES + SIGNATURE_BYTES + AEAD_OVERHEAD) {
    throw new AppError('too-large', 'the message is too long to be ephemeral', { bytes: sealed.length });
  }
  const signed = decryptAead({ key: input.epoch.ephemeral, context: contextBytes(input.context) }, sealed);
  const bytes = signed.subarray(SIGNATURE_BYTES);
  const record = recordSchema.safeParse(decodeCanonical(bytes, MAX_RECORD_BYTES));
  if (!record.success) throw new AppError('bad-input', 'the ephemeral message breaks a rule', {}, record.error);
  const { data } = record;
  // The signed record repeats the context: a member cannot carry another's message into a different sphere or epoch.
  if (data.sphere !== input.context.sphere || data.epoch !== input.context.epoch) {
    throw new AppError('forged', 'the ephemeral message belongs elsewhere');
  }
  if (!isSignedBy('ephemeral', data.device, bytes, signed.subarray(0, SIGNATURE_BYTES))) {
    throw new AppError('forged', 'the ephemeral message is not signed by the device it names');
  }
  const device = data.device as DeviceKey;
  const last = input.lastCounter(device);
  if (last === undefined) throw new AppError('not-a-member', 'the device has no say in this sphere', { device });
  if (data.counter <= last) throw new AppError('forged', 'the ephemeral message was heard before');
  return { ...readBody(data.kind, data.body), device, counter: data.counter };
}

function readBody(name: string, body: Json): EphemeralBody {
  if (!Object.hasOwn(bodySchemas, name)) return { kind: 'unknown', name, body };
  const kind = name as Known;
  const parsed = bodySchemas[kind].safeParse(body);
  if (!parsed.success) throw new AppError('bad-input', 'the ephemeral message breaks a rule', { kind }, parsed.error);
  return { kind, body: parsed.data } as EphemeralBody;
}

function contextBytes({ sphere, epoch }: EphemeralContext): Uint8Array {
  const sphereBytes = fromHex(sphere);
  const epochBytes = fromHex(epoch);
  if (sphereBytes?.length !== 32 || epochBytes?.length !== 32)
    throw new AppError('bad-input', 'not a sphere and an epoch');
  return concatBytes(toUtf8(EPHEMERAL_NAMESPACE), Uint8Array.of(EPHEMERAL_VERSION), sphereBytes, epochBytes);
}
