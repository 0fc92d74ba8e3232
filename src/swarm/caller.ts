import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import { withinTime } from '../base/within-time.ts';
import type { AdmissionDeps, Admitted, AdmittingSphere } from '../torrent/admission.ts';
import { callIn } from '../torrent/admission.ts';
import type { Purpose } from '../torrent/admission-frames.ts';
import type { Callee } from '../torrent/call-list.ts';
import type { DialOutcome } from '../torrent/dialer.ts';
import { connectTcp } from '../torrent/connect-tcp.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import type { RoutedStream } from '../torrent/route.ts';
import { pathOf } from '../torrent/route.ts';

const CONNECT_TIMEOUT_MS = 5_000;

export interface CallOptions {
  readonly callee: Pick<Callee, 'endpoint' | 'path' | 'device'>;
  readonly sphere: AdmittingSphere;
  readonly infoHash: InfoHash;
  readonly purpose: Purpose;
  readonly attempt: number;
  /** The device is connected over a relay: only a direct way is of use. */
  readonly isForBetter?: boolean;
}

export interface RtcCall {
  readonly sphereId: SphereId;
  readonly device: DeviceKey;
  /** Beside a relay that serves meanwhile: a stream that is no better is of no use. */
  readonly isForBetter: boolean;
}

/** Opens streams over WebRTC. */
export interface RtcOpener {
  open(to: RtcCall, signal: AbortSignal): Promise<RoutedStream>;
}

export interface CallerDeps {
  readonly admission: AdmissionDeps;
  /** Those we listen on; calls leave from the same ones. */
  readonly addresses: readonly string[];
  readonly rtc: RtcOpener;
}

/** Opens streams to members and passes admission on them. */
export class Caller {
  readonly #deps: CallerDeps;

  constructor(deps: CallerDeps) {
    this.#deps = deps;
  }

  /** Calls under the newest epoch, and where that is refused under the one before, which the other side may still be in. */
  async callInAnyEpoch(options: Omit<CallOptions, 'attempt'>, signal: AbortSignal): Promise<DialOutcome> {
    let outcome: DialOutcome = { kind: 'refused' };
    for (let attempt = 0; attempt < options.sphere.admissionKeys.length && outcome.kind === 'refused'; attempt += 1) {
      outcome = await this.call({ ...options, attempt }, signal);
    }
    return outcome;
  }

  async call(options: CallOptions, signal: AbortSignal): Promise<DialOutcome> {
    const { sphere, infoHash, purpose } = options;
    const admissionKey = sphere.admissionKeys[options.attempt % Math.max(1, sphere.admissionKeys.length)];
    if (admissionKey === undefined) return { kind: 'refused' };
    let routed: RoutedStream;
    try {
      routed = await this.#open(options, signal);
    } catch (error) {
      signal.throwIfAborted();
      const code = errorCode(error);
      if (code === 'internal') throw error;
      // There is a connection that carries as many streams as it may: the way is open.
      return { kind: code === 'conflict' ? 'refused' : 'unreachable' };
    }
    const { stream, device } = routed;
    let admitted: Admitted;
    try {
      admitted = await callIn(stream, { sphere, admissionKey, infoHash, purpose }, this.#deps.admission, signal);
      if (device !== null && device !== admitted.device) throw new AppError('not-allowed', 'another device answers');
    } catch {
      // Whatever went wrong, the other side did not admit us; which reason it had it does not tell.
      stream.destroy();
      signal.throwIfAborted();
      return { kind: 'refused' };
    }
    return { kind: 'connected', dialled: { ...routed, admitted } };
  }

  async #open({ callee, sphere, isForBetter = false }: CallOptions, signal: AbortSignal): Promise<RoutedStream> {
    const { endpoint, path, device } = callee;
    if (path === 'webrtc') {
      if (device === null) throw new AppError('bad-input', 'nobody to call');
      return this.#deps.rtc.open({ sphereId: sphere.sphereId, device, isForBetter }, signal);
    }
    const target = parseEndpoint(endpoint);
    if (target === undefined) throw new AppError('bad-input', 'not an endpoint');
    const limit = { clock: this.#deps.admission.clock, ms: CONNECT_TIMEOUT_MS };
    const stream = await withinTime(limit, signal, (limited) => connectTcp(target, this.#deps.addresses, limited));
    return { stream, route: { path: pathOf(endpoint), address: endpoint }, device: null };
  }
}
