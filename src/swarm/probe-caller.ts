import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { withinTime } from '../base/within-time.ts';
import type { AdmittingSphere } from '../torrent/admission.ts';
import { NO_TORRENT } from '../torrent/admission.ts';
import type { DialOutcome } from '../torrent/dialer.ts';
import { pathOf } from '../torrent/route.ts';
import { receiveSeenAddress } from '../torrent/seen-address.ts';
import type { Caller } from './caller.ts';

const TIMEOUT_MS = 5_000;
/** Calls under way, of one device and in all; whoever asks for more asks again. */
const MOST_CALLS = 8;
const MOST_CALLS_OF_DEVICE = 2;

export interface ProbeCallerDeps {
  readonly caller: Pick<Caller, 'callInAnyEpoch'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The device sees our calls come from there. */
  readonly onSeen: (device: DeviceKey, endpoint: string) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

export interface ProbeCall {
  readonly sphere: AdmittingSphere;
  /** Whom the endpoint is said to lead to. */
  readonly device: DeviceKey;
  readonly endpoint: string;
}

/** Calls an endpoint only to find out whether it leads to a device, and from where that device sees us come. */
export class ProbeCaller {
  readonly #deps: ProbeCallerDeps;
  readonly #calls = new Map<string, DeviceKey>();

  constructor(deps: ProbeCallerDeps) {
    this.#deps = deps;
  }

  /** Whether the call is made; `onEnd` tells its outcome. */
  call(call: ProbeCall, onEnd: (outcome: DialOutcome) => void): boolean {
    const { sphere, device, endpoint } = call;
    const key = `${device} ${endpoint}`;
    const ofDevice = Array.from(this.#calls.values()).filter((one) => one === device).length;
    if (this.#calls.has(key) || this.#calls.size >= MOST_CALLS || ofDevice >= MOST_CALLS_OF_DEVICE) return false;
    this.#calls.set(key, device);
    this.#deps.spawn('try an endpoint', async (signal) => {
      try {
        const callee = { endpoint, path: pathOf(endpoint), device };
        const options = { callee, sphere, infoHash: NO_TORRENT, purpose: 'probe' as const };
        const outcome = await this.#deps.caller.callInAnyEpoch(options, signal);
        if (outcome.kind === 'connected') await this.#hear(outcome.dialled, signal);
        onEnd(outcome);
      } finally {
        this.#calls.delete(key);
      }
    });
    return true;
  }

  async #hear({ stream, admitted }: Extract<DialOutcome, { kind: 'connected' }>['dialled'], signal: AbortSignal) {
    const { clock, log, onSeen } = this.#deps;
    try {
      const limit = { clock, ms: TIMEOUT_MS };
      onSeen(admitted.device, await withinTime(limit, signal, (limited) => receiveSeenAddress(stream, limited)));
    } catch (error) {
      signal.throwIfAborted();
      log.debug('not told from where we come', { code: errorCode(error) });
    } finally {
      stream.destroy();
    }
  }
}
