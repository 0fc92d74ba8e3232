import type { Socket } from 'node:net';
import { connect, isIP } from 'node:net';
import { AppError, errorCode } from '../base/errors.ts';
import type { AdmissionDeps, Admitted, AdmittingSphere } from '../torrent/admission.ts';
import { callIn } from '../torrent/admission.ts';
import type { Purpose } from '../torrent/admission-frames.ts';
import type { DialOutcome } from '../torrent/dialer.ts';
import type { InfoHash } from '../base/id.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import { pathOf } from '../torrent/route.ts';
import { withinTime } from '../base/within-time.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 30_000;

export interface CallOptions {
  readonly endpoint: string;
  readonly sphere: AdmittingSphere;
  readonly infoHash: InfoHash;
  readonly purpose: Purpose;
  readonly attempt: number;
}

/** Opens streams to members and passes admission on them. */
export class Caller {
  readonly #admission: AdmissionDeps;
  readonly #addresses: readonly string[];

  /** `addresses` are those we listen on; calls leave from the same ones. */
  constructor(deps: { admission: AdmissionDeps; addresses: readonly string[] }) {
    this.#admission = deps.admission;
    this.#addresses = deps.addresses.filter((address) => address !== '::' && address !== '0.0.0.0');
  }

  async call(options: CallOptions, signal: AbortSignal): Promise<DialOutcome> {
    const { sphere, infoHash, purpose } = options;
    const admissionKey = sphere.admissionKeys[options.attempt % Math.max(1, sphere.admissionKeys.length)];
    if (admissionKey === undefined) return { kind: 'refused' };
    let socket: Socket;
    try {
      socket = await this.#open(options.endpoint, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (errorCode(error) === 'internal') throw error;
      return { kind: 'unreachable' };
    }
    let admitted: Admitted;
    try {
      admitted = await callIn(socket, { sphere, admissionKey, infoHash, purpose }, this.#admission, signal);
    } catch {
      // Whatever went wrong, the other side did not admit us; which reason it had it does not tell.
      socket.destroy();
      signal.throwIfAborted();
      return { kind: 'refused' };
    }
    return {
      kind: 'connected',
      dialled: { stream: socket, route: { path: pathOf(options.endpoint), address: options.endpoint }, admitted },
    };
  }

  #open(endpoint: string, signal: AbortSignal): Promise<Socket> {
    const target = parseEndpoint(endpoint);
    if (target === undefined) return Promise.reject(new AppError('bad-input', 'not an endpoint'));
    const limit = { clock: this.#admission.clock, ms: CONNECT_TIMEOUT_MS };
    return withinTime(limit, signal, (limited) => this.#connect(target.host, target.port, limited));
  }

  #connect(host: string, port: number, signal: AbortSignal): Promise<Socket> {
    const family = isIP(host);
    const own = this.#addresses.filter((address) => isIP(address) === family);
    const localAddress = own.length === 1 ? own[0] : undefined;
    return new Promise((resolve, reject) => {
      const socket = connect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
        ...(localAddress === undefined ? {} : { localAddress }),
      });
      const onAbort = (): void => {
        socket.destroy();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      socket.on('error', (cause) => reject(new AppError('disconnected', 'nothing answers there', {}, cause)));
      socket.once('connect', () => {
        signal.removeEventListener('abort', onAbort);
        resolve(socket);
      });
    });
  }
}
