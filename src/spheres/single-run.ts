import * as z from 'zod';
import { equalBytes, fromHex, toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { withinTime } from '../base/within-time.ts';
import type { Storage } from '../storage/storage.ts';
import type { DeviceSigningKey } from './protocol/keys.ts';
import type { Run } from './protocol/run.ts';
import { CHALLENGE_BYTES, isAlive, openRun, RUN_NONCE_BYTES, sealRun, signAlive } from './protocol/run.ts';

/** Where the last run of this device is kept; the one who keeps it is not trusted. */
export interface RunPlace {
  /** The full address of the session of now. */
  readonly address: string;
  read(signal: AbortSignal): Promise<Uint8Array | undefined>;
  write(run: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Has whoever is at this address sign the challenge; rejects when nobody is there. */
  ask(address: string, challenge: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

interface SingleRunDeps {
  readonly storage: Pick<Storage, 'settings' | 'transaction'>;
  readonly place: RunPlace;
  readonly device: DeviceSigningKey;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

const SETTING = 'run';
/** A computer that lost its connection without a word seems to be there still, and does not answer. */
const ANSWER_MS = 3_000;

const schema = z.object({ number: z.number(), nonce: z.string(), address: z.string() }).nullable();

/**
 * Sees to it that nobody else goes on with this device's keys: another one with a copy of the same profile would use up
 * the same ratchets and numbers. Each session draws a nonce and counts one up, writes both down here and then at the
 * account. What stands there and was signed with our key, but never written down here, a copy has signed.
 */
export class SingleRun {
  readonly #deps: SingleRunDeps;
  #isBegun = false;
  /** What we ask others to sign is not signed by us, whoever sends it on to us. */
  #challenge: Uint8Array | undefined;

  constructor(deps: SingleRunDeps) {
    this.#deps = deps;
  }

  /** Of a device that is new here. */
  static forget({ settings }: Pick<Storage, 'settings'>): void {
    settings.set(SETTING, null);
  }

  /** In each new session, before anything is said or read. False: another one goes on with this device already. */
  async begin(signal: AbortSignal): Promise<boolean> {
    const { storage, place, device, random } = this.#deps;
    const noted = this.#noted;
    const before = this.#isBegun ? undefined : noted?.address;
    // Both at once: on a slow line each question takes a second.
    const [isOurs, isAtWork] = await Promise.all([
      this.isOurs(signal),
      before !== undefined && this.#isAtWork(before, signal),
    ]);
    if (!isOurs || isAtWork) return false;
    // Setting up the session failed half-way, and is tried again.
    if (this.#isBegun && noted?.address === place.address) return true;
    const run = { number: (noted?.number ?? 0) + 1, nonce: random(RUN_NONCE_BYTES), address: place.address };
    // First here: whatever is kept there that we have signed is never ahead of what is kept here.
    storage.transaction(() => storage.settings.set(SETTING, { ...run, nonce: toHex(run.nonce) }));
    await this.#tolerant('the run is not kept', () => place.write(sealRun(device, run), signal));
    this.#isBegun = true;
    return true;
  }

  /** Whether nobody but us has gone on with this device since, as far as the server tells. */
  async isOurs(signal: AbortSignal): Promise<boolean> {
    const noted = this.#noted;
    const found = this.#open(await this.#tolerant('the run is not read', () => this.#deps.place.read(signal)));
    // Older than ours, or none: a write that did not come through, or a server that gives what it was given before.
    if (found === undefined || found.number < (noted?.number ?? 0)) return true;
    return found.number === noted?.number && equalBytes(found.nonce, noted.nonce);
  }

  /** Whoever has the same profile asks whether we are at work. */
  sign(challenge: Uint8Array): Uint8Array | undefined {
    const isOwn = this.#challenge !== undefined && equalBytes(challenge, this.#challenge);
    if (!this.#isBegun || isOwn || challenge.length !== CHALLENGE_BYTES) return undefined;
    return signAlive(this.#deps.device, challenge);
  }

  /** The program may have been copied while it ran: the run before ours would go on then. */
  async #isAtWork(address: string, signal: AbortSignal): Promise<boolean> {
    const { place, device, clock, random, log } = this.#deps;
    if (address === place.address) return false;
    this.#challenge = random(CHALLENGE_BYTES);
    const challenge = this.#challenge;
    try {
      const answer = await withinTime({ clock, ms: ANSWER_MS }, signal, (limited) =>
        place.ask(address, challenge, limited),
      );
      return answer !== undefined && isAlive(device.id, challenge, answer);
    } catch (error) {
      signal.throwIfAborted();
      if (errorCode(error) === 'disconnected') throw error;
      log.debug('nobody is where the last run was', { error });
      return false;
    }
  }

  #open(bytes: Uint8Array | undefined): Run | undefined {
    if (bytes === undefined) return undefined;
    try {
      return openRun(this.#deps.device.id, bytes);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#deps.log.warn('the server gives a run that is none of ours', { error });
      return undefined;
    }
  }

  /** A server that refuses keeps nobody from signing in. */
  async #tolerant<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AppError) || ['disconnected', 'timed-out'].includes(error.code)) throw error;
      this.#deps.log.warn(what, { error });
      return undefined;
    }
  }

  get #noted(): Run | undefined {
    const noted = this.#deps.storage.settings.get(SETTING, (value) => schema.parse(value));
    if (noted === undefined || noted === null) return undefined;
    return { ...noted, nonce: fromHex(noted.nonce) ?? new Uint8Array() };
  }
}
