import * as z from 'zod';
import { fromUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { DeviceKey, EventId, PersonId, SphereId } from '../../base/id.ts';
import type { Json } from './canonical-json.ts';
import { decodeCanonical, encodeCanonical } from './canonical-json.ts';
import type { EventBodies, EventInput, KnownType } from './event-body.ts';
import { eventBodySchemas, isKnownType } from './event-body.ts';
import type { DeviceSigningKey } from './keys.ts';
import { isSignedBy, sha256Hex, signFor } from './keys.ts';

/** Who signs: a person by one of their devices. */
export interface Author {
  readonly person: PersonId;
  readonly device: DeviceSigningKey;
}

export interface EventHeader {
  /** null in the genesis event, whose id becomes the sphere's id. */
  readonly sphere: SphereId | null;
  readonly person: PersonId;
  readonly device: DeviceKey;
  /** Counts this device's events in this sphere from 0. */
  readonly sequence: number;
  /** This device's event before this one. */
  readonly previous: EventId | null;
  readonly lamport: number;
  /** The author's clock, for display only. */
  readonly wallMs: number;
  /** The newest membership event the author had seen; null in the genesis event. */
  readonly membership: EventId | null;
  readonly type: string;
}

interface EventBase {
  /** SHA-256 of `bytes`. */
  readonly id: EventId;
  /** The exact bytes that were signed; stored and passed on verbatim. */
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly header: EventHeader;
}

export type KnownEvent<T extends KnownType = KnownType> = {
  [K in T]: EventBase & { readonly type: K; readonly body: EventBodies[K] };
}[T];

/** Kept and passed on; `malformed` = a type we know with a body that breaks its rules. */
export type OpaqueEvent = EventBase & { readonly type: 'unknown' | 'malformed'; readonly body: Json };

export type SignedEvent = KnownEvent | OpaqueEvent;

/** What a sphere shows as an item: something shared in it, or a torrent from elsewhere. */
export type ItemEvent = KnownEvent<'item' | 'torrent'>;

export function isItemEvent(event: SignedEvent | undefined): event is ItemEvent {
  return event?.type === 'item' || event?.type === 'torrent';
}

export const MAX_EVENT_BYTES = 8192;
/** Leaves room for 2^53 / 2^20 steps, and `nextLamport` never overflows. */
const MAX_LAMPORT = 2 ** 52;
/** The last moment a calendar has: with a later one no page could show the event. */
const MAX_WALL_MS = 8.64e15;
const EVENT_VERSION = 1;
const NO_SPHERE = '0'.repeat(64);

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const wireSchema = z.strictObject({
  v: z.literal(EVENT_VERSION),
  sphere: hex64,
  person: hex64,
  device: hex64,
  sequence: count,
  previous: hex64.nullable(),
  lamport: count.max(MAX_LAMPORT),
  wallMs: count.max(MAX_WALL_MS),
  membership: hex64.nullable(),
  type: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  body: z.custom<Json>((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
});

/** The event in its exact bytes, signed by the author's device. `bad-input` when header or body break a rule. */
export function buildEvent<T extends KnownType>(
  author: Author,
  header: Omit<EventHeader, 'person' | 'device' | 'type'>,
  type: T,
  body: EventInput<T>,
): KnownEvent<T> {
  const event = buildAnyEvent(author, header, type, body);
  if (event.type !== type)
    throw new AppError('bad-input', 'the body of the event breaks the rules of its type', { type });
  return event as KnownEvent<T>;
}

/** Like `buildEvent`, for types that this version does not know. */
export function buildAnyEvent(
  author: Author,
  header: Omit<EventHeader, 'person' | 'device' | 'type'>,
  type: string,
  body: unknown,
): SignedEvent {
  const bytes = encodeCanonical({
    v: EVENT_VERSION,
    sphere: header.sphere ?? NO_SPHERE,
    person: author.person,
    device: author.device.id,
    sequence: header.sequence,
    previous: header.previous,
    lamport: header.lamport,
    wallMs: header.wallMs,
    membership: header.membership,
    type,
    body,
  });
  return parseEvent(bytes, signFor('event', author.device, bytes));
}

/**
 * Checks form and signature. A body that breaks its type's rules makes a `malformed` event, not an error:
 * it has its place in the author's chain and must be passed on like any other.
 */
export function parseEvent(bytes: Uint8Array, signature: Uint8Array): SignedEvent {
  const wire = wireSchema.safeParse(decodeCanonical(bytes, MAX_EVENT_BYTES));
  if (!wire.success) throw new AppError('bad-input', 'the header of the event breaks a rule', {}, wire.error);
  const header = readHeader(wire.data);
  if (!isSignedBy('event', header.device, bytes, signature)) {
    throw new AppError('forged', 'the event is not signed by the device it names', { type: header.type });
  }
  return withBody({ id: sha256Hex(bytes) as EventId, bytes, signature, header }, wire.data.body);
}

/** An event that `parseEvent` took before and that nobody else could write since: form and signature are not checked again. */
export function readStoredEvent(stored: Pick<EventBase, 'id' | 'bytes' | 'signature'>): SignedEvent {
  const wire = JSON.parse(fromUtf8(stored.bytes) ?? '') as z.output<typeof wireSchema>;
  return withBody({ ...stored, header: readHeader(wire) }, wire.body);
}

/** The sphere an event belongs to. */
export function sphereOf(event: SignedEvent): SphereId {
  return event.header.sphere ?? (event.id as string as SphereId);
}

function withBody(base: EventBase, body: Json): SignedEvent {
  const read = readBody(base.header.type, body);
  return { ...base, ...read } as SignedEvent;
}

/** What this version makes of a body. */
export function readBody(type: string, body: Json): Pick<SignedEvent, 'type' | 'body'> {
  if (!isKnownType(type)) return { type: 'unknown', body };
  const read = eventBodySchemas[type].safeParse(body);
  return read.success ? { type, body: read.data } : { type: 'malformed', body };
}

function readHeader(wire: z.output<typeof wireSchema>): EventHeader {
  const isGenesis = wire.type === 'genesis';
  const isFirst = wire.sequence === 0;
  if (
    isGenesis !== (wire.sphere === NO_SPHERE) ||
    isGenesis !== (wire.membership === null) ||
    (isGenesis && !isFirst)
  ) {
    throw new AppError('bad-input', 'only the first event of a sphere belongs to no sphere', { type: wire.type });
  }
  if (isFirst !== (wire.previous === null)) {
    throw new AppError('bad-input', 'every event but the first names the one before it', { sequence: wire.sequence });
  }
  return {
    sphere: isGenesis ? null : (wire.sphere as SphereId),
    person: wire.person as PersonId,
    device: wire.device as DeviceKey,
    sequence: wire.sequence,
    previous: wire.previous as EventId | null,
    lamport: wire.lamport,
    wallMs: wire.wallMs,
    membership: wire.membership as EventId | null,
    type: wire.type,
  };
}
