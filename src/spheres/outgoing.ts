import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { EventId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { DeviceAddress } from '../omemo/types.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Audience } from './audience.ts';
import { parseAudience } from './audience.ts';
import type { Carrier, OutgoingMessage } from './carrier.ts';
import type { DeviceDirectory } from './device-directory.ts';
import { fitEntries } from './fit-entries.ts';
import type { EnvelopeEntry } from './protocol/envelope.ts';
import { decodeEnvelope } from './protocol/envelope.ts';
import { sha256Hex } from './protocol/keys.ts';
import { seal } from './protocol/seal.ts';
import { fractionOf } from './fraction-of.ts';

const RETRY = { baseMs: 2_000, maxMs: 60_000 };

/** Who may read an entry of the outbox, at this moment. */
export interface RecipientBook {
  recipients(row: OutboxRow, audience: Audience): Promise<readonly DeviceAddress[]>;
  /** The identity key a device must have; undefined when nothing certifies it. */
  expectedIdentity(row: OutboxRow, address: DeviceAddress): Uint8Array | undefined;
}

interface OutgoingDeps {
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly directory: DeviceDirectory;
  readonly carrier: Carrier;
  readonly book: RecipientBook;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/**
 * Sends what stands in the outbox: in order for each destination, encrypted for the recipients of the moment,
 * again until the server has it. The row and the ratchet change in one transaction before anything leaves.
 */
export class Outgoing {
  /** An entry reached the server. */
  readonly onSent: Emitter<OutboxRow>;
  readonly #deps: OutgoingDeps;
  readonly #notBefore = new Map<string, number>();
  /** Entries whose recipients could not be encrypted for at the last attempt. */
  readonly #withoutKeys = new Set<number>();
  #wake: () => void = () => undefined;
  #isBusy = false;

  constructor(deps: OutgoingDeps) {
    this.#deps = deps;
    this.onSent = new Emitter((error) => deps.log.error('sent listener failed', { error }));
  }

  /** Something changed: a new entry, a connection, a room joined. */
  poke(): void {
    this.#notBefore.clear();
    this.#wake();
  }

  /** Whether everything has left, but for what waits until somebody publishes keys. */
  get isIdle(): boolean {
    if (this.#isBusy) return false;
    return this.#deps.storage.outbox.list('queued').every((row) => this.#withoutKeys.has(row.id));
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const waitMs = await this.#pass(signal);
      const timer = new AbortController();
      const stop = AbortSignal.any([signal, timer.signal]);
      const timeout = this.#deps.clock.sleep(waitMs, stop).catch(() => {
        // Aborted because something woke us or the engine stops: the loop's condition decides.
      });
      const aborted = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
      await Promise.race([woken, timeout, aborted]);
      timer.abort();
    }
  }

  /** One attempt for the first waiting entry of every destination; how long until the next attempt makes sense. */
  async #pass(signal: AbortSignal): Promise<number> {
    this.#isBusy = true;
    try {
      const blocked = new Set<string>();
      for (const row of this.#deps.storage.outbox.list('queued')) {
        if (signal.aborted) return RETRY.maxMs;
        if (blocked.has(row.to) || !this.#isDue(row)) {
          blocked.add(row.to);
          continue;
        }
        if (!(await this.#attempt(row, signal))) blocked.add(row.to);
      }
    } finally {
      this.#isBusy = false;
    }
    const now = this.#deps.clock.monotonic();
    const next = Math.min(...this.#notBefore.values(), now + RETRY.maxMs);
    return Math.max(50, next - now);
  }

  #isDue(row: OutboxRow): boolean {
    const { carrier, clock } = this.#deps;
    const isReachable = row.sphereId !== null && !isDirect(row) ? carrier.isInRoom(row.to) : carrier.isOnline;
    return isReachable && (this.#notBefore.get(row.to) ?? 0) <= clock.monotonic();
  }

  async #attempt(row: OutboxRow, signal: AbortSignal): Promise<boolean> {
    const { storage, clock, random, log } = this.#deps;
    try {
      const stanzaId = await this.#send(row, signal);
      storage.outbox.update(row.id, { state: 'sent', stanzaId });
      this.#notBefore.delete(row.to);
      this.#withoutKeys.delete(row.id);
      this.onSent.emit({ ...row, state: 'sent', stanzaId });
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      storage.outbox.update(row.id, { attempts: row.attempts + 1 });
      if (errorCode(error) === 'cannot-encrypt') this.#withoutKeys.add(row.id);
      const delay = backoffDelay(row.attempts, RETRY, () => fractionOf(random(4)));
      this.#notBefore.set(row.to, clock.monotonic() + delay);
      const level = errorCode(error) === 'disconnected' ? 'debug' : 'warn';
      log[level]('message not sent', { entry: row.id, attempts: row.attempts + 1, error });
      return false;
    }
  }

  async #send(row: OutboxRow, signal: AbortSignal): Promise<string | null> {
    const { book, carrier } = this.#deps;
    const audience = parseAudience(row.audience);
    const recipients = await book.recipients(row, audience);
    if (recipients.length === 0) {
      // Alone in the sphere: whoever joins later is told everything.
      if (audience.kind !== 'account') return null;
      throw new AppError('cannot-encrypt', 'the account publishes no keys', {});
    }
    const message = await this.#encrypt(row, audience, recipients, signal);
    if (!isDirect(row)) return carrier.toRoom(row.to, message, signal);
    await carrier.toAccount(row.to, message, signal);
    return null;
  }

  #encrypt(
    row: OutboxRow,
    audience: Audience,
    recipients: readonly DeviceAddress[],
    signal: AbortSignal,
  ): Promise<OutgoingMessage> {
    const { omemo, directory, storage, random, book } = this.#deps;
    const sphereId = row.sphereId;
    if (sphereId === null) throw new AppError('internal', 'an outbox entry without a sphere');
    const entries = fitEntries(decodeEnvelope(row.envelope), recipients.length, row.line);
    const trusts = (address: DeviceAddress, identityKey: Uint8Array): boolean => {
      const expected = book.expectedIdentity(row, address);
      return expected === undefined || Buffer.compare(expected, identityKey) === 0;
    };
    return omemo.encrypt(
      { recipients, text: row.line, fetchBundle: (address, stop) => directory.bundle(address, stop), trusts },
      (result, changes) => {
        storage.transaction(() => storage.omemo.apply(changes));
        const context = { sphere: sphereId, event: firstEventId(entries) };
        const bytes = seal({ messageKey: result.messageKey, context, random }, entries);
        return {
          id: `${row.eventId.slice(0, 32)}-${row.id}`,
          omemo: result.message,
          sealed: { ...context, bytes },
          hasLine: row.line !== null,
          invitesTo: audience.kind === 'account' ? invitedRoom(storage, sphereId) : null,
        };
      },
      signal,
    );
  }
}

/** The sealed element names the first event inside. */
function firstEventId(entries: readonly EnvelopeEntry[]): EventId {
  return sha256Hex(entries[0]?.bytes ?? new Uint8Array()) as EventId;
}

function isDirect(row: OutboxRow): boolean {
  return parseAudience(row.audience).kind === 'account';
}

function invitedRoom(storage: Storage, sphereId: NonNullable<OutboxRow['sphereId']>): OutgoingMessage['invitesTo'] {
  return storage.spheres.get(sphereId)?.room ?? null;
}
