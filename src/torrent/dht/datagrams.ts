import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { ownAddress } from '../connect-tcp.ts';
import type { Endpoint } from '../endpoint.ts';
import type { AddressPolicy } from '../internet-address.ts';
import { TokenBucket } from '../limits.ts';
import { LARGEST_DATAGRAM } from './krpc.ts';

/** Bytes and datagrams a second. A search asks a hundred nodes once; nothing here ever needs more. */
const UP_BYTES = 16 * 1024;
const UP_COUNT = 60;
const DOWN_BYTES = 128 * 1024;
const DOWN_COUNT = 200;

export interface DatagramDeps {
  readonly clock: Clock;
  /** Whom datagrams may go to and come from. */
  readonly policy: AddressPolicy;
  /** Those we listen on; none = all. */
  readonly addresses: readonly string[];
  readonly onDatagram: (datagram: Uint8Array, from: Endpoint) => void;
}

/**
 * A socket of IPv4 towards strangers: whatever they name, nothing is sent into a network of our own, and neither what is
 * sent nor what is read of them grows beyond a fixed rate. What would be too much is dropped, as networks do.
 */
export class Datagrams implements AsyncDisposable {
  readonly #deps: DatagramDeps;
  readonly #socket = createSocket('udp4');
  readonly #buckets: Readonly<Record<'upBytes' | 'upCount' | 'downBytes' | 'downCount', TokenBucket>>;
  readonly #closing = new AbortController();

  private constructor(deps: DatagramDeps) {
    this.#deps = deps;
    const { clock } = deps;
    const bucket = (rate: number): TokenBucket => new TokenBucket({ clock, rate });
    this.#buckets = {
      upBytes: bucket(UP_BYTES),
      upCount: bucket(UP_COUNT),
      downBytes: bucket(DOWN_BYTES),
      downCount: bucket(DOWN_COUNT),
    };
    // Nobody there, or no way there: an answer is waited for no longer than usual.
    this.#socket.on('error', () => undefined);
    this.#socket.on('message', (datagram, { address, port }) => this.#take(datagram, { host: address, port }));
  }

  /** On a port of its own. Fails with `disconnected` where the system gives none, or we listen on no address of IPv4. */
  static async open(deps: DatagramDeps): Promise<Datagrams> {
    if (deps.addresses.length > 0 && !deps.addresses.some(isIPv4)) {
      throw new AppError('disconnected', 'no address of IPv4 to send from');
    }
    const datagrams = new Datagrams(deps);
    const socket = datagrams.#socket;
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        const own = ownAddress(deps.addresses, 4) ?? deps.addresses.find(isIPv4);
        socket.bind({ port: 0, ...(own === undefined ? {} : { address: own }) }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
    } catch (cause) {
      await datagrams[Symbol.asyncDispose]();
      throw new AppError('disconnected', 'no port for datagrams', {}, cause);
    }
    return datagrams;
  }

  get port(): number {
    return this.#closing.signal.aborted ? 0 : this.#socket.address().port;
  }

  /** When its turn has come. Fails with `not-allowed` for places that are not to be called, and when it is closed meanwhile. */
  async send(datagram: Uint8Array, to: Endpoint, signal: AbortSignal): Promise<void> {
    if (!isIPv4(to.host) || !this.#deps.policy(to.host)) throw new AppError('not-allowed', 'no place of the internet');
    const ends = AbortSignal.any([signal, this.#closing.signal]);
    await this.#buckets.upCount.take(1, ends);
    await this.#buckets.upBytes.take(datagram.length, ends);
    ends.throwIfAborted();
    this.#socket.send(datagram, to.port, to.host, () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new AppError('disconnected', 'the port for datagrams was closed'));
    for (const bucket of Object.values(this.#buckets)) bucket[Symbol.dispose]();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #take(datagram: Uint8Array, from: Endpoint): void {
    const { downBytes, downCount } = this.#buckets;
    if (!downCount.open || !downBytes.open) return;
    downCount.debit(1);
    downBytes.debit(datagram.length);
    if (datagram.length > LARGEST_DATAGRAM || from.port === 0 || !this.#deps.policy(from.host)) return;
    this.#deps.onDatagram(datagram, from);
  }
}
