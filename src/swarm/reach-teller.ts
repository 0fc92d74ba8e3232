import type { Clock } from '../base/clock.ts';
import type { DeviceKey } from '../base/id.ts';
import type { ReachOutcome, SwarmEvent } from '../contract/swarm.ts';
import type { DialOutcome, DialRequest } from '../torrent/dialer.ts';

const AGAIN_MS = 10 * 60_000;
const MOST_TOLD = 1_024;

type Reached = Extract<SwarmEvent, { kind: 'reached' }>;

interface ReachTellerDeps {
  readonly clock: Clock;
  readonly tell: (event: Reached) => void;
  /** Whether the endpoint is at our own router: what it does for its own network says nothing of the world outside. */
  readonly isAtOurRouter: (endpoint: string) => boolean;
}

/** Tells members what came of calling their endpoints of the internet's IPv4, seldom as long as nothing changes. */
export class ReachTeller {
  readonly #deps: ReachTellerDeps;
  readonly #told = new Map<string, { outcome: ReachOutcome; atMs: number }>();
  /** Where each device's own calls came from last. */
  readonly #seen = new Map<DeviceKey, string>();

  constructor(deps: ReachTellerDeps) {
    this.#deps = deps;
  }

  /** A device called us from there. */
  seen(device: DeviceKey, address: string): void {
    this.#seen.delete(device);
    this.#seen.set(device, address);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MOST_TOLD && oldest !== undefined) this.#seen.delete(oldest);
  }

  ended({ path, toldBy: device, endpoint, sphereId }: DialRequest, ended: DialOutcome): void {
    if (path !== 'tcp' || device === null || this.#deps.isAtOurRouter(endpoint)) return;
    const outcome = outcomeFor(device, ended);
    const key = `${device} ${endpoint}`;
    const nowMs = this.#deps.clock.monotonic();
    const last = this.#told.get(key);
    const isFresh = last !== undefined && nowMs - last.atMs < AGAIN_MS;
    // It may lack the one torrent and have the other.
    if (isFresh && (last.outcome === outcome || outcome === 'refused')) return;
    this.#told.delete(key);
    this.#told.set(key, { outcome, atMs: nowMs });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MOST_TOLD && oldest !== undefined) this.#told.delete(oldest);
    this.#deps.tell({ kind: 'reached', sphereId, device, endpoint, outcome, seenAs: this.#seen.get(device) ?? null });
  }
}

/** Of two devices behind one shared address the other one may answer: that is no way to the device that told it. */
function outcomeFor(device: DeviceKey, ended: DialOutcome): ReachOutcome {
  if (ended.kind !== 'connected') return ended.kind;
  return ended.dialled.admitted.device === device ? 'reached' : 'refused';
}
