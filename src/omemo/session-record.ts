import * as z from 'zod';
import { fromBase64 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';

/** The library's serialised record of one device: its open session and closed ones. Only the parts we look at. */
const chainSchema = z.looseObject({
  messageKeys: z.record(z.string(), z.string()),
  chainKey: z.looseObject({ counter: z.number() }),
});
const indexedSchema = z.looseObject({
  indexInfo: z.looseObject({ closed: z.number(), remoteIdentityKey: z.string() }),
});
const sessionSchema = z.looseObject({
  ...indexedSchema.shape,
  currentRatchet: z.looseObject({
    ephemeralKeyPair: z.looseObject({ pubKey: z.string() }).optional(),
    lastRemoteEphemeralKey: z.string(),
  }),
  oldRatchetList: z.array(z.looseObject({ ephemeralKey: z.string() })),
  chains: z.record(z.string(), chainSchema),
});
const recordSchema = z.looseObject({ version: z.literal('v1'), sessions: z.record(z.string(), sessionSchema) });
/** Before each message to each device this much is read, and no more. */
const indexSchema = z.looseObject({ version: z.literal('v1'), sessions: z.record(z.string(), indexedSchema) });

type Session = z.infer<typeof sessionSchema>;
export type SessionRecord = z.infer<typeof recordSchema>;

const OPEN = -1;
// Chains no longer referred to are only worth keeping for the keys of messages still on their way.
const MAX_LATE_CHAINS = 20;
// A forged message costs up to 4000 hashes in every session it is tried with.
const MAX_CANDIDATES = 5;

/** The identity key of the session that new messages use; undefined when there is none. */
export function openIdentityKey(record: string | undefined): Uint8Array | undefined {
  if (record === undefined) return undefined;
  const { sessions } = parse(indexSchema, record);
  const open = Object.values(sessions).find((session) => session.indexInfo.closed === OPEN);
  return open === undefined ? undefined : identityKeyOf(open);
}

/** A record after a message was opened in one of its sessions, and the identity key of that session. */
export interface Moved {
  readonly record: string;
  readonly identityKey: Uint8Array;
  /** Of the newest message in the sender's chain, which begins anew once they have heard from us. */
  readonly counter: number;
}

/** What became of a record in the step from `before` to `after`, which moved one session. */
export function moved(before: string | undefined, after: string): Moved {
  const known = before === undefined ? {} : parseRecord(before).sessions;
  const { sessions } = parseRecord(after);
  const winner = Object.entries(sessions).find(
    ([key, session]) => JSON.stringify(session.chains) !== JSON.stringify(known[key]?.chains),
  );
  if (winner === undefined) throw new AppError('internal', 'no session moved');
  return { record: pruned(sessions), identityKey: identityKeyOf(winner[1]), counter: counterOf(winner[1]) };
}

/** One session of a record, as a record in which it is the only and open one. */
export interface Candidate {
  readonly key: string;
  readonly record: string;
}

/**
 * The sessions a message may belong to, likeliest first. Each is tried alone: the library changes a session
 * before it finds out that the message is not for it, and would keep that change.
 */
export function candidates({ sessions }: SessionRecord): readonly Candidate[] {
  return Object.entries(sessions)
    .toSorted(([, a], [, b]) => closedAt(b) - closedAt(a))
    .slice(0, MAX_CANDIDATES)
    .map(([key, session]) => ({ key, record: serialise({ [key]: { ...session, indexInfo: opened(session) } }) }));
}

/** Puts the session that decrypted back among the others; it is the open one from now on. */
export function mergeCandidate({ sessions }: SessionRecord, decrypted: string, key: string, nowMs: number): Moved {
  const winner = parseRecord(decrypted).sessions[key];
  if (winner === undefined) throw new AppError('internal', 'the decrypted session is missing');
  const others = Object.entries(sessions).map(([other, session]): [string, Session] => {
    const closed = session.indexInfo.closed === OPEN ? nowMs : session.indexInfo.closed;
    return [other, { ...session, indexInfo: { ...session.indexInfo, closed } }];
  });
  const merged = { ...Object.fromEntries(others), [key]: winner };
  return { record: pruned(merged), identityKey: identityKeyOf(winner), counter: counterOf(winner) };
}

/** Drops receiving chains the library forgets to drop: a record would grow with every answer for ever. */
function pruned(sessions: Record<string, Session>): string {
  return serialise(Object.fromEntries(Object.entries(sessions).map(([key, session]) => [key, pruneSession(session)])));
}

function pruneSession(session: Session): Session {
  const { currentRatchet, oldRatchetList, chains } = session;
  const needed = new Set([currentRatchet.lastRemoteEphemeralKey, currentRatchet.ephemeralKeyPair?.pubKey]);
  for (const old of oldRatchetList) needed.add(old.ephemeralKey);
  const late = Object.entries(chains)
    .filter(([key, chain]) => !needed.has(key) && Object.keys(chain.messageKeys).length > 0)
    .slice(-MAX_LATE_CHAINS);
  const kept = new Set(late.map(([key]) => key));
  const entries = Object.entries(chains).filter(([key]) => needed.has(key) || kept.has(key));
  return { ...session, chains: Object.fromEntries(entries) };
}

/** Throws `internal` when it is no record. */
export function parseRecord(record: string): SessionRecord {
  return parse(recordSchema, record);
}

function parse<T>(schema: z.ZodType<T>, record: string): T {
  try {
    return schema.parse(JSON.parse(record));
  } catch (error) {
    throw new AppError('internal', 'a stored session cannot be read', {}, error);
  }
}

function serialise(sessions: Record<string, Session>): string {
  return JSON.stringify({ sessions, version: 'v1' });
}

function opened(session: Session): Session['indexInfo'] {
  return { ...session.indexInfo, closed: OPEN };
}

function closedAt(session: Session): number {
  return session.indexInfo.closed === OPEN ? Infinity : session.indexInfo.closed;
}

function counterOf({ currentRatchet, chains }: Session): number {
  return chains[currentRatchet.lastRemoteEphemeralKey]?.chainKey.counter ?? 0;
}

function identityKeyOf(session: z.infer<typeof indexedSchema>): Uint8Array {
  const key = fromBase64(session.indexInfo.remoteIdentityKey);
  if (key === undefined) throw new AppError('internal', 'a stored session cannot be read');
  return key;
}
