import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { withinTime } from '../base/within-time.ts';
import type { AdmittingSphere } from '../torrent/admission.ts';
import type { Callee } from '../torrent/call-list.ts';
import { sendMetainfo } from '../torrent/metainfo-exchange.ts';
import { ended } from '../torrent/stream-reader.ts';
import type { Caller } from './caller.ts';
import { firstOf } from './first-of.ts';

const TIMEOUT_MS = 30_000;
const CONCURRENT = 8;
/** Errands under way, of one device and in all; whoever asks for more asks again. */
const MOST_ERRANDS = 16;
const MOST_ERRANDS_OF_DEVICE = 4;

export interface BringerDeps {
  readonly caller: Caller;
  readonly metainfo: (sphereId: SphereId, infoHash: InfoHash) => Uint8Array;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Errand {
  readonly sphere: AdmittingSphere;
  readonly device: DeviceKey;
  readonly infoHash: InfoHash;
  /** The ways to the device. */
  readonly callees: readonly Callee[];
}

/** Calls devices that ask for a metainfo which is here: they may be unable to call us. */
export class MetainfoBringer {
  readonly #deps: BringerDeps;
  readonly #errands = new Map<string, DeviceKey>();

  constructor(deps: BringerDeps) {
    this.#deps = deps;
  }

  bring(errand: Errand): void {
    const { device, infoHash } = errand;
    const key = `${infoHash} ${device}`;
    const ofDevice = Array.from(this.#errands.values()).filter((one) => one === device).length;
    if (this.#errands.has(key) || this.#errands.size >= MOST_ERRANDS || ofDevice >= MOST_ERRANDS_OF_DEVICE) return;
    this.#errands.set(key, device);
    this.#deps.spawn('bring a metainfo', async (signal) => {
      try {
        await firstOf(errand.callees, CONCURRENT, (callee, limited) => this.#go(callee, errand, limited), signal);
      } finally {
        this.#errands.delete(key);
      }
    });
  }

  /** True once the device took it. */
  async #go(callee: Callee, { sphere, device, infoHash }: Errand, signal: AbortSignal): Promise<true | undefined> {
    const { caller, clock, log, metainfo } = this.#deps;
    const outcome = await caller.callInAnyEpoch({ callee, sphere, infoHash, purpose: 'bring' }, signal);
    if (outcome.kind !== 'connected') return undefined;
    const { stream, admitted } = outcome.dialled;
    try {
      if (admitted.device !== device) return undefined;
      await withinTime({ clock, ms: TIMEOUT_MS }, signal, async (limited) => {
        await sendMetainfo(stream, metainfo(sphere.sphereId, infoHash), limited);
        await ended(stream, limited);
      });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      log.debug('a metainfo was not brought', { code: errorCode(error) });
      return undefined;
    } finally {
      stream.destroy();
    }
  }
}
