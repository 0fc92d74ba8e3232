// BEP 15: UDP tracker protocol, with the answers of BEP 7 over IPv6
import { createSocket } from 'node:dgram';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { withinTime } from '../base/within-time.ts';
import { ownAddress } from './connect-tcp.ts';
import { compactPeers, PEERS_WANTED } from './tracker-answer.ts';

const PROTOCOL_ID = 0x41727101980n;
const CONNECT = 0;
const ANNOUNCE = 1;
/** BEP 15 waits 15 · 2ⁿ seconds; a second try is enough for what is tried again in minutes. */
const TRY_MS = 5_000;
const TRIES = 2;
const ANNOUNCE_HEAD_BYTES = 20;
const HIGHEST_SECONDS = 3600;

/** What a tracker is told. Sizes are bytes. */
export interface TrackerReport {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  readonly port: number;
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
  readonly event: 'none' | 'completed' | 'started' | 'stopped';
}

export interface TrackerReply {
  readonly intervalMs: number;
  /** `host:port` */
  readonly peers: readonly string[];
}

const EVENTS: Readonly<Record<TrackerReport['event'], number>> = { none: 0, completed: 1, started: 2, stopped: 3 };

interface ConversationDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Those we listen on; none = all. */
  readonly addresses: readonly string[];
}

interface Asking {
  readonly address: string;
  readonly family: number;
  readonly port: number;
}

/** Announces at one address. Fails with `timed-out`, `disconnected`, `bad-input` or `not-allowed`. */
export async function askUdpTracker(
  tracker: Asking,
  report: TrackerReport,
  deps: ConversationDeps,
  signal: AbortSignal,
): Promise<TrackerReply> {
  using conversation = await Conversation.open(tracker, deps);
  const hello = Buffer.alloc(16);
  hello.writeBigUInt64BE(PROTOCOL_ID);
  const greeting = await conversation.ask(hello, CONNECT, signal);
  if (greeting.length < 16) throw new AppError('bad-input', 'a tracker answers with too little');
  const announce = announceMessage(greeting.subarray(8, 16), report, deps.random(4));
  return readAnswer(await conversation.ask(announce, ANNOUNCE, signal), tracker.family);
}

function announceMessage(connection: Uint8Array, report: TrackerReport, key: Uint8Array): Buffer {
  const message = Buffer.alloc(98);
  message.set(connection, 0);
  message.set(report.infoHash, 16);
  message.set(report.peerId, 36);
  message.writeBigUInt64BE(BigInt(report.downloaded), 56);
  message.writeBigUInt64BE(BigInt(report.left), 64);
  message.writeBigUInt64BE(BigInt(report.uploaded), 72);
  message.writeUInt32BE(EVENTS[report.event], 80);
  message.set(key, 88);
  message.writeUInt32BE(PEERS_WANTED, 92);
  message.writeUInt16BE(report.port, 96);
  return message;
}

function readAnswer(answer: Buffer, family: number): TrackerReply {
  if (answer.length < ANNOUNCE_HEAD_BYTES) throw new AppError('bad-input', 'a tracker answers with too little');
  const seconds = Math.min(answer.readUInt32BE(8), HIGHEST_SECONDS);
  const addressBytes = family === 6 ? 16 : 4;
  const whole = Math.floor((answer.length - ANNOUNCE_HEAD_BYTES) / (addressBytes + 2)) * (addressBytes + 2);
  const peers = new Uint8Array(answer.subarray(ANNOUNCE_HEAD_BYTES, ANNOUNCE_HEAD_BYTES + whole));
  return { intervalMs: seconds * 1000, peers: compactPeers(peers, addressBytes).slice(0, PEERS_WANTED) };
}

/** Questions to one address, which the system lets nobody else answer. */
class Conversation implements Disposable {
  readonly #deps: ConversationDeps;
  readonly #socket: ReturnType<typeof createSocket>;
  #heard = Promise.withResolvers<Buffer>();

  private constructor(deps: ConversationDeps, family: number) {
    this.#deps = deps;
    this.#socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    this.#socket.on('message', (message) => this.#heard.resolve(message));
    this.#socket.on('error', (cause) =>
      this.#heard.reject(new AppError('disconnected', 'tracker cannot be reached', {}, cause)),
    );
    this.#heard.promise.catch(() => undefined);
  }

  static async open({ address, family, port }: Asking, deps: ConversationDeps): Promise<Conversation> {
    const conversation = new Conversation(deps, family);
    const own = ownAddress(deps.addresses, family);
    if (own !== undefined) conversation.#socket.bind(0, own);
    await new Promise<void>((resolve) => conversation.#socket.connect(port, address, () => resolve()));
    return conversation;
  }

  /** The answer to this question, which it is told by its number. */
  async ask(question: Buffer, action: number, signal: AbortSignal): Promise<Buffer> {
    const transaction = this.#deps.random(4);
    question.writeUInt32BE(action, 8);
    question.set(transaction, 12);
    for (let tried = 1; ; tried += 1) {
      try {
        const limit = { clock: this.#deps.clock, ms: TRY_MS };
        return await withinTime(limit, signal, (limited) => this.#once(question, action, transaction, limited));
      } catch (error) {
        if (signal.aborted || tried === TRIES || !(error instanceof AppError) || error.code !== 'timed-out')
          throw error;
      }
    }
  }

  async #once(question: Buffer, action: number, transaction: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    this.#socket.send(question);
    for (;;) {
      const answer = await Promise.race([this.#heard.promise, untilAborted(signal)]);
      this.#heard = Promise.withResolvers<Buffer>();
      this.#heard.promise.catch(() => undefined);
      const isOurs = answer.length >= 8 && answer.subarray(4, 8).equals(transaction);
      if (!isOurs) continue;
      if (answer.readUInt32BE(0) === action) return answer;
      throw new AppError('not-allowed', 'tracker refused the announce');
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
