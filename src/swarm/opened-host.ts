import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { concatBytes, equalBytes, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { householdOf } from '../base/ip-address.ts';
import type { DeviceKey, InfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import { withinTime } from '../base/within-time.ts';
import type { ActiveTorrent } from '../torrent/active-torrent.ts';
import type { Endpoint } from '../torrent/endpoint.ts';
import { OpenedTracker } from '../torrent/opened-tracker.ts';
import { pathOf } from '../torrent/route.ts';
import { readExactly, writeAll } from '../torrent/stream-reader.ts';
import { readWantedHash, strangerAt } from '../torrent/stranger-handshake.ts';
import { parseTrackerQuestion } from '../torrent/tracker-question.ts';
import { endpointsOn, hearsRouter, localAddresses } from './candidates.ts';
import type { PortMapping, RouterPort } from './port-mapping.ts';
import { StrangerPort } from './stranger-port.ts';

const MOST_GUESTS = 200;
const MOST_GUESTS_PER_TORRENT = 40;
const MOST_GUESTS_OF_ADDRESS = 3;
const OPENING_MS = 10_000;
const LONGEST_HEAD = 4096;
const GET = toUtf8('GET ');
const END_OF_HEAD = '\r\n\r\n';
/** How long a router may take to say where it opened the port. */
const ROUTER_MS = 6_000;
const ROUTER_LOOK_MS = 200;

/** The items that are open, and the port of before, which .torrent files name; 0 = any. */
export interface Opened {
  readonly infoHashes: readonly InfoHash[];
  readonly port: number;
}

export interface OpenedHostDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** Addresses to listen on; none = all. */
  readonly addresses: readonly string[];
  /** null = no router is asked for anything. */
  readonly portMapping: PortMapping | null;
  /** Whether it is a plain torrent of a sphere that is served now. */
  readonly isServed: (infoHash: InfoHash) => boolean;
  readonly isBanned: (stranger: DeviceKey) => boolean;
  /** Such a torrent, in use; undefined for every other. */
  readonly use: (infoHash: InfoHash) => Promise<ActiveTorrent | undefined>;
}

interface Guest {
  readonly infoHash: InfoHash;
  readonly device: DeviceKey;
}

/**
 * The way in for other programs to plain items that a person opened to them: a port and a peer id of its own, and on the
 * same port the tracker that their .torrent files name. Whoever asks for anything else, encrypted or not, hears nothing.
 */
export class OpenedHost implements AsyncDisposable {
  readonly #deps: OpenedHostDeps;
  readonly #peerId: Uint8Array;
  readonly #scope: Scope;
  readonly #changes = new SerialQueue();
  readonly #tracker: OpenedTracker;
  readonly #guests = new Map<Duplex, Guest>();
  #opened: ReadonlySet<InfoHash> = new Set();
  #port: StrangerPort | null = null;
  /** null = nothing was asked of it. */
  #router: RouterPort | null = null;

  constructor(deps: OpenedHostDeps) {
    this.#deps = deps;
    this.#peerId = deps.random(20);
    this.#scope = new Scope({ log: deps.log });
    this.#tracker = new OpenedTracker(deps);
  }

  /** 0 while nothing is open. */
  get port(): number {
    return this.#port?.port ?? 0;
  }

  /** Replaces what was open before. */
  set({ infoHashes, port }: Opened): Promise<void> {
    this.#opened = new Set(infoHashes);
    this.#tracker.keepOnly(this.#opened);
    for (const [stream, { infoHash }] of Array.from(this.#guests)) if (!this.#opened.has(infoHash)) stream.destroy();
    return this.#changes.run(async () => {
      if (this.#opened.size === 0) await this.#closePort();
      else if (this.#port === null) await this.#openPort(port);
    });
  }

  /** Where other programs find us, from the internet first; none without a port. Waits a moment for the router. */
  async endpoints(signal: AbortSignal): Promise<string[]> {
    const { clock, addresses } = this.#deps;
    const untilMs = clock.monotonic() + ROUTER_MS;
    while (this.#router?.state === 'searching' && clock.monotonic() < untilMs)
      await clock.sleep(ROUTER_LOOK_MS, signal);
    if (this.#port === null) return [];
    const outside = this.#router?.state === 'open' ? this.#router.outside : null;
    return [...(outside === null ? [] : [outside]), ...endpointsOn(localAddresses(addresses), this.port)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.set({ infoHashes: [], port: 0 });
    await this.#scope[Symbol.asyncDispose]();
  }

  async #openPort(port: number): Promise<void> {
    const { portMapping, addresses, log } = this.#deps;
    const isAsked = portMapping !== null && hearsRouter(addresses);
    this.#router = isAsked ? { state: 'searching', via: null, outside: null } : null;
    try {
      this.#port = await StrangerPort.open({
        ...this.#deps,
        preferredPort: port,
        onRouter: (router) => void (this.#router = router),
        onStream: (stream, address, host) => this.#answer(stream, address, host),
      });
    } catch (error) {
      // Everything else goes on; whoever asks for the port hears that there is none.
      log.warn('no port for other programs', { error });
    }
  }

  async #closePort(): Promise<void> {
    const port = this.#port;
    this.#port = null;
    this.#router = null;
    await port?.[Symbol.asyncDispose]();
  }

  async #answer(stream: Duplex, address: string, host: string): Promise<void> {
    const limit = { clock: this.#deps.clock, ms: OPENING_MS };
    await withinTime(limit, this.#scope.signal, async (limited) => {
      const first = await readExactly(stream, GET.length, limited);
      if (equalBytes(first, GET)) {
        await this.#answerQuestion(stream, first, host, limited);
        return;
      }
      stream.unshift(first);
      await this.#join(await readWantedHash(stream, limited), stream, address, host);
    });
  }

  async #answerQuestion(stream: Duplex, first: Uint8Array, host: string, signal: AbortSignal): Promise<void> {
    const question = parseTrackerQuestion(await readHead(stream, first, signal));
    if (question === undefined || !this.#opened.has(question.infoHash) || !this.#deps.isServed(question.infoHash)) {
      throw new AppError('not-found', 'nothing of that is open');
    }
    const ours = question.asked ?? localEnd(stream);
    if (ours === undefined) throw new AppError('disconnected', 'the connection has no address');
    await writeAll(stream, this.#tracker.answer(question, host, ours), signal);
    const closed = once(stream, 'close', { signal });
    stream.end();
    stream.resume();
    await closed;
  }

  async #join(infoHash: InfoHash, stream: Duplex, address: string, host: string): Promise<void> {
    const torrent = this.#opened.has(infoHash) ? await this.#deps.use(infoHash) : undefined;
    const device = strangerAt(householdOf(host));
    const guests = Array.from(this.#guests.values());
    const ofTorrent = guests.filter((guest) => guest.infoHash === infoHash);
    const isFull = guests.length >= MOST_GUESTS || ofTorrent.length >= MOST_GUESTS_PER_TORRENT;
    const ofAddress = ofTorrent.filter((guest) => guest.device === device).length;
    // It may have been closed while the torrent was got ready.
    if (torrent === undefined || !this.#opened.has(infoHash))
      throw new AppError('not-found', 'nothing of that is open');
    if (isFull || ofAddress >= MOST_GUESTS_OF_ADDRESS || this.#deps.isBanned(device))
      throw new AppError('not-allowed', 'one too many, or banned');
    // Its end was told while the torrent was got ready, and is not told again.
    if (stream.destroyed) throw new AppError('disconnected', 'the caller is gone');
    this.#guests.set(stream, { infoHash, device });
    stream.once('close', () => void this.#guests.delete(stream));
    const route = { path: pathOf(address), address };
    torrent.connect(stream, { device, route, weDialled: false, strangersId: this.#peerId });
  }
}

/** Everything up to the empty line. Fails with `too-large`. */
async function readHead(stream: Duplex, first: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  let head = new Uint8Array(first);
  while (!Buffer.from(head).toString('latin1').includes(END_OF_HEAD)) {
    if (head.length > LONGEST_HEAD) throw new AppError('too-large', 'the question is too long');
    const next = await readExactly(stream, 1, signal);
    const rest: unknown = stream.read();
    head = concatBytes(head, next, rest instanceof Uint8Array ? rest : new Uint8Array());
  }
  return head;
}

function localEnd(stream: Duplex): Endpoint | undefined {
  const { localAddress: host, localPort: port } = stream as { localAddress?: string; localPort?: number };
  return host === undefined || port === undefined || isIP(host) === 0 ? undefined : { host, port };
}
