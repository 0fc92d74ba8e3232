import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid, EventId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { Encrypted } from '../omemo/encrypting.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { DeviceAddress, OmemoBundle, OmemoMessage } from '../omemo/types.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { encryptedMessage } from '../xmpp/message.ts';
import type { XmppPort } from '../xmpp/port.ts';
import type { Talk } from './talk.ts';

/** What is known of people's OMEMO devices. */
export interface DeviceFinder {
  deviceIds(jid: BareJid): Promise<readonly number[]>;
  /** The same, whatever was heard before. */
  askDeviceIds(jid: BareJid): Promise<readonly number[]>;
  bundle(address: DeviceAddress, signal?: AbortSignal): Promise<OmemoBundle>;
  /** Why the account cannot be reached, when its server says so. */
  trouble(jid: BareJid): 'nobody-there' | 'server-silent' | null;
}

interface TalkSenderDeps {
  readonly client: XmppPort;
  readonly storage: Storage;
  readonly talk: Talk;
  readonly omemo: Omemo;
  readonly devices: DeviceFinder;
  /** Whether our archive was read since the connection is there: it tells what has left before. */
  readonly isMailRead: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY = { baseMs: 2_000, maxMs: 60_000 };
const IDLE_MS = 60_000;
/** Waiting mends these; with anything else the line is told to have failed, and its author decides. */
const PASSING: readonly ErrorCode[] = ['disconnected', 'timed-out', 'cancelled', 'server-unreachable', 'internal'];
/** What of their device's keys says nothing about the device. */
const UNHEARD: readonly ErrorCode[] = ['disconnected', 'timed-out', 'server-unreachable'];

/** Sends what was said one to one: in order, each line once, encrypted for all devices of both. */
export class TalkSender {
  readonly #deps: TalkSenderDeps;
  /** Lines that may have left without our hearing of it: the archive is asked before they are sent again. */
  readonly #doubtful: Set<EventId>;
  /** When somebody may be tried again, by the monotonic clock. */
  readonly #notBefore = new Map<BareJid, { readonly attempts: number; readonly atMs: number }>();
  readonly #work: RecurringWork;
  #isBusy = false;

  constructor(deps: TalkSenderDeps) {
    this.#deps = deps;
    this.#doubtful = new Set(deps.storage.directMessages.queued().map(({ id }) => id));
    this.#work = new RecurringWork({ ...deps, pass: (signal) => this.#pass(signal), retryMs: IDLE_MS });
    deps.talk.onQueued.on(() => this.#work.wake());
  }

  /** Whether nothing waits that could leave. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#deps.storage.directMessages.queued().length === 0;
  }

  /** A connection, other keys: everything is tried anew. */
  poke(): void {
    this.#notBefore.clear();
    this.#work.wake();
  }

  /** Our archive holds a message that this device sent. */
  arrived(stanzaId: string): void {
    const row = this.#deps.storage.directMessages.queued().find((queued) => queued.stanzaId === stanzaId);
    if (row === undefined || !this.#doubtful.has(row.id)) return;
    this.#doubtful.delete(row.id);
    this.#deps.talk.settle(row, { state: 'sent', failure: null });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  /** One attempt for everything that is not held up; how long until the next one makes sense. */
  async #pass(signal: AbortSignal): Promise<number> {
    const { client, storage, clock } = this.#deps;
    const held = new Set<BareJid>();
    let nextMs = clock.monotonic() + IDLE_MS;
    this.#isBusy = true;
    try {
      for (const row of storage.directMessages.queued()) {
        if (signal.aborted || client.state.kind !== 'online') return IDLE_MS;
        const waits = this.#notBefore.get(row.peer)?.atMs ?? 0;
        const isUndecided = this.#doubtful.has(row.id) && !this.#deps.isMailRead();
        if (!held.has(row.peer) && waits <= clock.monotonic() && !isUndecided) await this.#attempt(row, signal);
        // A line of theirs that still waits holds up those after it.
        if (storage.directMessages.get(row.id)?.state !== 'queued') continue;
        held.add(row.peer);
        nextMs = Math.min(nextMs, this.#notBefore.get(row.peer)?.atMs ?? nextMs);
      }
    } finally {
      this.#isBusy = false;
    }
    return Math.max(50, nextMs - clock.monotonic());
  }

  async #attempt(row: DirectMessageRow, signal: AbortSignal): Promise<void> {
    const { talk, clock, client, log } = this.#deps;
    try {
      await this.#send(row, signal);
    } catch (error) {
      if (signal.aborted) return;
      const code = errorCode(error);
      log[code === 'disconnected' ? 'debug' : 'warn']('line not sent', { error });
      if (!PASSING.includes(code)) {
        talk.settle(row, { state: 'failed', failure: code });
        return;
      }
      this.#doubtful.add(row.id);
      const attempts = (this.#notBefore.get(row.peer)?.attempts ?? 0) + 1;
      const atMs = clock.monotonic() + backoffDelay(attempts, RETRY, () => client.jitter());
      this.#notBefore.set(row.peer, { attempts, atMs });
      return;
    }
    this.#doubtful.delete(row.id);
    this.#notBefore.delete(row.peer);
    // Apart from the sending: a disk that cannot note it makes no failed line of one that has left.
    talk.settle(row, { state: 'sent', failure: null });
  }

  async #send({ peer, text, stanzaId, id }: DirectMessageRow, signal: AbortSignal): Promise<void> {
    const { client, devices } = this.#deps;
    const theirs = await devices.askDeviceIds(peer);
    if (theirs.length === 0 && devices.trouble(peer) === 'server-silent') {
      throw new AppError('server-unreachable', 'their server does not answer');
    }
    const ours = await devices.deviceIds(client.jid);
    const recipients = [...addresses(peer, theirs), ...addresses(client.jid, ours)];
    const message = await this.#encrypt({ peer, recipients, text }, signal);
    const stanza = { to: peer, type: 'chat', id: stanzaId ?? id, omemo: message, hasLine: true } as const;
    await client.sendConfirmed(encryptedMessage(stanza), signal);
  }

  /** Rejects with `cannot-encrypt` only when their devices themselves are the reason. */
  async #encrypt(
    { peer, recipients, text }: { peer: BareJid; recipients: readonly DeviceAddress[]; text: string },
    signal: AbortSignal,
  ): Promise<OmemoMessage> {
    const { devices, omemo, storage } = this.#deps;
    const unheard: unknown[] = [];
    const fetchBundle = async (address: DeviceAddress, stop: AbortSignal): Promise<OmemoBundle> => {
      try {
        return await devices.bundle(address, stop);
      } catch (error) {
        if (address.jid === peer && UNHEARD.includes(errorCode(error))) unheard.push(error);
        throw error;
      }
    };
    try {
      return await omemo.encrypt(
        { recipients, text, fetchBundle },
        (result, changes) => {
          requireReached(result, peer);
          storage.transaction(() => storage.omemo.apply(changes));
          return result.message;
        },
        signal,
      );
    } catch (error) {
      throw errorCode(error) === 'cannot-encrypt' ? (unheard[0] ?? error) : error;
    }
  }
}

/** A message that only our own devices could read is not sent. */
function requireReached({ reached }: Encrypted, peer: BareJid): void {
  if (reached.some(({ address }) => address.jid === peer)) return;
  throw new AppError('cannot-encrypt', 'none of their devices can be reached');
}

function addresses(jid: BareJid, deviceIds: readonly number[]): DeviceAddress[] {
  return deviceIds.slice(0, 50).map((deviceId) => ({ jid, deviceId }));
}
