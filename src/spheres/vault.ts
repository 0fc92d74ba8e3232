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
import type { DeliveredEvent } from './protocol/envelope.ts';
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

/** The newest vault that this device wrote or read: number and what was in it. */
interface Noted {
  readonly number: number;
  readonly digest: string;
}

const SETTING = 'vault';
/** Written in turn: a crash in the middle of one leaves the other. */
const SLOTS = 2;
/** A newcomer brings several changes; they are written once. */
const SETTLE_MS = 15_000;
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
  #failures = 0;
  #isBusy = false;
  /** Nothing is written before what is there was read in this session. */
  #isRead = false;
  /** What the server had when it was last asked. */
  #lastFound: VaultContent | undefined;

  constructor(deps: VaultDeps) {
    this.#deps = deps;
    this.#work = new RecurringWork({ ...deps, pass: (signal) => this.#pass(signal), retryMs: RETRY.baseMs });
  }

  /** In each new session. */
  begin(): void {
    this.#isRead = false;
    this.#writeAtMs = this.#now;
    this.#work.wake();
  }

  /** Members, keys or names are different, or there is a kit from now on. */
  changed(): void {
    this.#writeAtMs = Math.min(this.#writeAtMs, this.#now + SETTLE_MS);
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

  get #recoveryKey(): Uint8Array | null {
    return this.#deps.storage.identity.get()?.recoveryKey ?? null;
  }

  async #pass(signal: AbortSignal): Promise<number> {
    const { isOnline, isEnded, log, random } = this.#deps;
    const recoveryKey = this.#recoveryKey;
    if (recoveryKey === null || isEnded()) return IDLE_MS;
    if (!isOnline()) return RETRY.baseMs;
    if (this.#writeAtMs > this.#now) return Math.min(IDLE_MS, this.#writeAtMs - this.#now);
    this.#writeAtMs = Infinity;
    this.#isBusy = true;
    try {
      await this.#settle(recoveryKey, signal);
      this.#failures = 0;
      return Math.min(IDLE_MS, this.#writeAtMs - this.#now);
    } catch (error) {
      signal.throwIfAborted();
      log.warn('vault not kept', { error });
      const waitMs = backoffDelay(this.#failures, RETRY, () => randomFraction(random));
      this.#failures += 1;
      this.#writeAtMs = Math.min(this.#writeAtMs, this.#now + waitMs);
      return waitMs;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Takes what is there, then puts there what is missing in it. */
  async #settle(recoveryKey: Uint8Array, signal: AbortSignal): Promise<void> {
    const { storage, onRolledBack, clock, random, log } = this.#deps;
    const noted = this.#noted;
    if (this.#isRead && noted?.digest === digestOf(this.#partsWith(this.#lastFound))) return;
    const found = await this.#read(recoveryKey, signal);
    if (noted !== undefined && (found?.number ?? 0) < noted.number) {
      log.warn('the server gives an older vault than it was given', { number: found?.number, noted: noted.number });
      onRolledBack();
    }
    if (!this.#isRead) this.#offer(found);
    this.#isRead = true;
    this.#lastFound = found;
    const parts = this.#partsWith(found);
    if (found !== undefined && digestOf(found.parts) === digestOf(parts)) {
      storage.settings.set(SETTING, { number: Math.max(found.number, noted?.number ?? 0), digest: digestOf(parts) });
      return;
    }
    // Whoever has nothing yet, and cannot read what is there, must not put nothing in its place.
    if (parts.length === 0 && found === undefined) return;
    const number = Math.max(found?.number ?? 0, noted?.number ?? 0) + 1;
    const content = { number, savedAtMs: clock.now(), parts };
    await this.#write(this.#sealFitting({ recoveryKey, random }, content), number, signal);
    storage.settings.set(SETTING, { number, digest: digestOf(parts) });
    log.info('vault kept', { number, spheres: new Set(parts.map(({ sphereId }) => sphereId)).size });
  }

  /** The newest vault that is whole; what cannot be opened is as good as nothing. */
  async #read(recoveryKey: Uint8Array, signal: AbortSignal): Promise<VaultContent | undefined> {
    const { log } = this.#deps;
    let newest: VaultContent | undefined;
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const chunks = await this.#readChunks(slot, signal);
      if (chunks.length === 0) continue;
      try {
        const content = openVault(recoveryKey, chunks);
        if (newest === undefined || content.number > newest.number) newest = content;
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.warn('vault not readable', { error });
      }
    }
    return newest;
  }

  async #readChunks(slot: number, signal: AbortSignal): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = [];
    for (let index = 0; index < MAX_VAULT_CHUNKS; index += 1) {
      const chunk = await this.#deps.store.get(slot, index, signal);
      const header = chunk === undefined ? undefined : readChunkHeader(chunk);
      if (chunk === undefined || header === undefined) return chunks;
      chunks.push(chunk);
      if (header.count === chunks.length) return chunks;
    }
    return chunks;
  }

  async #write(chunks: readonly Uint8Array[], number: number, signal: AbortSignal): Promise<void> {
    for (const [index, chunk] of chunks.entries()) {
      await this.#deps.store.put({ slot: number % SLOTS, index }, chunk, signal);
    }
  }

  /** What does not fit is left out, the last spheres first: the others can still be brought back. */
  #sealFitting(input: Parameters<typeof sealVault>[0], content: VaultContent): readonly Uint8Array[] {
    for (let { parts } = content; ; parts = parts.slice(0, -1)) {
      try {
        return sealVault(input, { ...content, parts });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'too-large' || parts.length === 0) throw error;
        this.#deps.log.warn('a sphere does not fit into the vault', { sphereId: parts.at(-1)?.sphereId });
      }
    }
  }

  /** What should be kept: the spheres we are in, and what is there of others. */
  #partsWith(found: VaultContent | undefined): VaultPart[] {
    const joined = this.#deps.list.all().filter(({ row }) => row.state === 'joined');
    return [...joined.flatMap((sphere) => this.#partsOf(sphere)), ...this.#othersParts(found)];
  }

  #partsOf(sphere: Sphere): VaultPart[] {
    const groups = splitEntries(foundationOf(sphere, this.#deps.storage, sphere.person), MAX_GROUP_BYTES);
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
