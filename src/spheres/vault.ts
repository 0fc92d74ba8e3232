import { backoffDelay } from '../base/backoff.ts';
import { toUtf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { Storage } from '../storage/storage.ts';
import { foundationOf } from './hand-over.ts';
import type { DeliveredEvent, EnvelopeEntry } from './protocol/envelope.ts';
import { decodeEnvelope, encodeEnvelope, parseEntries, splitEntries } from './protocol/envelope.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { VaultContent, VaultPart } from './protocol/vault.ts';
import { MAX_VAULT_CHUNKS, openVault, readChunkHeader, sealVault } from './protocol/vault.ts';
import type { OfferedSphere } from './sphere-adoption.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/** Where chunks are kept for us alone; the one who keeps them is not trusted. */
export interface VaultStore {
  get(slot: number, index: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  put(at: { readonly slot: number; readonly index: number }, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
}

interface VaultDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly store: VaultStore;
  readonly isOnline: () => boolean;
  /** The server gave an older vault than it was given: it was restored from a backup, or it lies. */
  readonly onRolledBack: () => void;
  /** Whether this device has been ended: what it says of our spheres counts no more. */
  readonly isEnded: () => boolean;
  readonly offered: (offer: OfferedSphere) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** The newest vault that this device found at the server: number and what was in it. */
interface Noted {
  readonly number: number;
  readonly digest: string;
}

/** What lies in one slot. */
interface Slot {
  readonly slot: number;
  /** undefined when nothing is there, or nothing that can be opened. */
  readonly content: VaultContent | undefined;
  /** Something is there and cannot be opened: a write was cut off, or two went on at the same time. */
  readonly isBroken: boolean;
}

const SETTING = 'vault';
/** Written in turn: two devices that write at the same time, and are both cut off, leave one whole. */
const SLOTS = 3;
/** A newcomer brings several changes; they are written once. Not by all devices at once, to which they come together. */
const SETTLE = { leastMs: 10_000, spreadMs: 10_000 };
/** What was written is read again: another device may have written at the same time. */
const CHECK = { baseMs: 60_000, maxMs: 3_600_000 };
/** Devices that see a sphere differently do not write in turn for ever. */
const MAX_CHECKS = 6;
/** By how much a number is higher than the last: of two that write at the same time each has its own. */
const MAX_STEP = 2 ** 16;
const RETRY = { baseMs: 60_000, maxMs: 6 * 3_600_000 };
const IDLE_MS = 24 * 3_600_000;
const MAX_GROUP_BYTES = 256 * 1024;

/**
 * Keeps at the server, sealed under the key on the recovery kit, what it takes to be in all spheres again without anybody
 * else: who is in them, and the keys of their epochs. What was said and shared comes from members then.
 */
export class Vault {
  readonly #deps: VaultDeps;
  readonly #work: RecurringWork;
  #writeAtMs = Infinity;
  #checkAtMs = Infinity;
  /** How often what is there was written in vain since there was a reason to. */
  #checks = 0;
  #failures = 0;
  #isBusy = false;
  /** Whether what is there was read in this session. */
  #isRead = false;
  /** Whether it was what it should be when it was last read. */
  #isSure = false;
  /** What the server had when it was last asked. */
  #lastFound: VaultContent | undefined;

  constructor(deps: VaultDeps) {
    this.#deps = deps;
    this.#work = new RecurringWork({ ...deps, pass: (signal) => this.#pass(signal), retryMs: RETRY.baseMs });
  }

  /** Another account has none of ours yet. */
  static forget({ settings }: Pick<Storage, 'settings'>): void {
    settings.remove(SETTING);
  }

  /** In each new session. */
  begin(): void {
    this.#isRead = false;
    this.#isSure = false;
    this.#checks = 0;
    this.#writeAtMs = this.#now;
    this.#work.wake();
  }

  /** Members, keys or names are different, or there is a kit from now on. */
  changed(): void {
    this.#checks = 0;
    this.#writeAtMs = Math.min(this.#writeAtMs, this.#now + SETTLE.leastMs + this.#fraction() * SETTLE.spreadMs);
    this.#work.wake();
  }

  /** Whether what is there is what should be, or nothing can be done about it now. */
  get isSettled(): boolean {
    return (
      this.#recoveryKey === null ||
      this.#failures > 0 ||
      (this.#isRead && this.#writeAtMs === Infinity && !this.#isBusy)
    );
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  get #now(): number {
    return this.#deps.clock.monotonic();
  }

  get #dueAtMs(): number {
    return Math.min(this.#writeAtMs, this.#checkAtMs);
  }

  readonly #fraction = (): number => randomFraction(this.#deps.random);

  get #recoveryKey(): Uint8Array | null {
    return this.#deps.storage.identity.get()?.recoveryKey ?? null;
  }

  async #pass(signal: AbortSignal): Promise<number> {
    const { isOnline, isEnded, log } = this.#deps;
    const recoveryKey = this.#recoveryKey;
    if (recoveryKey === null || isEnded()) return IDLE_MS;
    if (!isOnline()) return RETRY.baseMs;
    if (this.#dueAtMs > this.#now) return Math.min(IDLE_MS, this.#dueAtMs - this.#now);
    this.#writeAtMs = Infinity;
    this.#checkAtMs = Infinity;
    this.#isBusy = true;
    try {
      await this.#settle(recoveryKey, signal);
      this.#failures = 0;
      return Math.min(IDLE_MS, this.#dueAtMs - this.#now);
    } catch (error) {
      signal.throwIfAborted();
      log.warn('vault not kept', { error });
      const waitMs = backoffDelay(this.#failures, RETRY, this.#fraction);
      this.#failures += 1;
      this.#writeAtMs = Math.min(this.#writeAtMs, this.#now + waitMs);
      return waitMs;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Takes what is there, then puts there what is missing in it, until it is found there. */
  async #settle(recoveryKey: Uint8Array, signal: AbortSignal): Promise<void> {
    const { storage, clock, log } = this.#deps;
    if (this.#isSure && this.#noted?.digest === digestOf(this.#partsWith(this.#lastFound))) return;
    const slots = await this.#readSlots(recoveryKey, signal);
    const found = newestIn(slots);
    const isRolledBack = this.#isOlder(found);
    this.#offer(found);
    this.#isRead = true;
    this.#lastFound = found;
    const number = this.#nextNumber(found);
    const vault = this.#sealFitting(recoveryKey, { number, savedAtMs: clock.now(), parts: this.#partsWith(found) });
    const digest = digestOf(vault.parts);
    const isBroken = slots.some((slot) => slot.isBroken);
    const isSame = found !== undefined && digestOf(found.parts) === digest;
    this.#isSure = isSame && !isRolledBack && !isBroken;
    if (found !== undefined && this.#isSure) storage.settings.set(SETTING, { number: found.number, digest });
    // Whoever has nothing yet, and cannot read what is there, must not put nothing in its place.
    const isNothing = vault.parts.length === 0 && found === undefined;
    if (this.#isSure || (isNothing && !isBroken)) return;
    if (!isNothing) {
      await this.#write(slotFor(slots), vault.chunks, signal);
      log.info('vault kept', { number, spheres: new Set(vault.parts.map(({ sphereId }) => sphereId)).size });
    }
    this.#checkLater();
  }

  /** Whether the server gives an older vault than it was found to have. */
  #isOlder(found: VaultContent | undefined): boolean {
    const { onRolledBack, log } = this.#deps;
    const noted = this.#noted?.number ?? 0;
    if ((found?.number ?? 0) >= noted) return false;
    log.warn('the server gives an older vault than it was given', { number: found?.number, noted });
    onRolledBack();
    return true;
  }

  #nextNumber(found: VaultContent | undefined): number {
    const last = Math.max(found?.number ?? 0, this.#noted?.number ?? 0);
    return last + 1 + Math.floor(this.#fraction() * MAX_STEP);
  }

  #checkLater(): void {
    if (this.#checks >= MAX_CHECKS) return;
    this.#checkAtMs = this.#now + backoffDelay(this.#checks, CHECK, this.#fraction);
    this.#checks += 1;
  }

  async #readSlots(recoveryKey: Uint8Array, signal: AbortSignal): Promise<readonly Slot[]> {
    const slots: Slot[] = [];
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const chunks = await this.#readChunks(slot, signal);
      slots.push({ slot, ...this.#open(recoveryKey, chunks) });
    }
    return slots;
  }

  #open(recoveryKey: Uint8Array, chunks: readonly Uint8Array[]): Omit<Slot, 'slot'> {
    if (chunks.length === 0) return { content: undefined, isBroken: false };
    try {
      return { content: openVault(recoveryKey, chunks), isBroken: false };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#deps.log.warn('vault not readable', { error });
      return { content: undefined, isBroken: true };
    }
  }

  async #readChunks(slot: number, signal: AbortSignal): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = [];
    for (let index = 0; index < MAX_VAULT_CHUNKS; index += 1) {
      const chunk = await this.#deps.store.get(slot, index, signal);
      if (chunk === undefined) return chunks;
      chunks.push(chunk);
      const header = readChunkHeader(chunk);
      if (header === undefined || header.count === chunks.length) return chunks;
    }
    return chunks;
  }

  async #write(slot: number, chunks: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    for (const [index, chunk] of chunks.entries()) await this.#deps.store.put({ slot, index }, chunk, signal);
  }

  /** What does not fit is left out, the last spheres first: the others can still be brought back. */
  #sealFitting(
    recoveryKey: Uint8Array,
    content: VaultContent,
  ): { readonly parts: readonly VaultPart[]; readonly chunks: readonly Uint8Array[] } {
    const { random, log } = this.#deps;
    for (let { parts } = content; ; parts = parts.slice(0, -1)) {
      try {
        return { parts, chunks: sealVault({ recoveryKey, random }, { ...content, parts }) };
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'too-large' || parts.length === 0) throw error;
        log.warn('a sphere does not fit into the vault', { sphereId: parts.at(-1)?.sphereId });
      }
    }
  }

  /** What should be kept: the spheres we are in, and what is there of others. */
  #partsWith(found: VaultContent | undefined): VaultPart[] {
    const joined = this.#deps.list.all().filter(({ row }) => row.state === 'joined');
    return [...joined.flatMap((sphere) => this.#partsOf(sphere)), ...this.#othersParts(found)];
  }

  #partsOf(sphere: Sphere): VaultPart[] {
    const entries = foundationOf(sphere, this.#deps.storage, sphere.person).map(withoutPicture);
    const groups = splitEntries(entries, MAX_GROUP_BYTES);
    return groups.map((group) => ({ sphereId: sphere.id, envelope: encodeEnvelope(group) }));
  }

  /** Of spheres that another device of ours has put there, and that are not here yet. */
  #othersParts(found: VaultContent | undefined): VaultPart[] {
    return found?.parts.filter(({ sphereId }) => this.#deps.list.find(sphereId) === undefined) ?? [];
  }

  #offer(found: VaultContent | undefined): void {
    const { offered, log } = this.#deps;
    for (const [sphereId, parts] of Map.groupBy(this.#othersParts(found), (part) => part.sphereId)) {
      try {
        offered({ sphereId, sender: null, delivered: parts.flatMap((part) => deliveredIn(part)) });
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.warn('a sphere in the vault is not readable', { sphereId, error });
      }
    }
  }

  get #noted(): Noted | undefined {
    return this.#deps.storage.settings.get(SETTING, (value) => value as Noted);
  }
}

/** Members give it: a few pictures would leave no room for spheres. */
function withoutPicture(entry: EnvelopeEntry): EnvelopeEntry {
  return { ...entry, attachments: entry.attachments.filter(({ kind }) => kind !== 'picture') };
}

/** The newest vault that is whole; what cannot be opened is as good as nothing. */
function newestIn(slots: readonly Slot[]): VaultContent | undefined {
  return slots.flatMap(({ content }) => content ?? []).toSorted((a, b) => b.number - a.number)[0];
}

/** What is broken is written first: whoever was cut off, and by that only, has broken no second slot. */
function slotFor(slots: readonly Slot[]): number {
  const rank = ({ content, isBroken }: Slot): number => content?.number ?? (isBroken ? -1 : 0);
  return slots.toSorted((a, b) => rank(a) - rank(b))[0]?.slot ?? 0;
}

function deliveredIn({ sphereId, envelope }: VaultPart): readonly DeliveredEvent[] {
  return parseEntries(decodeEnvelope(envelope), sphereId).delivered;
}

/** Equal for equal content, whatever its order. */
function digestOf(parts: readonly VaultPart[]): string {
  const hashes = parts.map(({ sphereId, envelope }): [SphereId, string] => [sphereId, sha256Hex(envelope)]);
  return sha256Hex(
    toUtf8(
      hashes
        .map((pair) => pair.join(' '))
        .toSorted()
        .join('\n'),
    ),
  );
}
