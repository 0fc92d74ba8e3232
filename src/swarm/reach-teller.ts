import type { Clock } from '../base/clock.ts';
import type { DeviceKey } from '../base/id.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { ReachOutcome, SwarmEvent } from '../contract/swarm.ts';
import type { DialOutcome, DialRequest } from '../torrent/dialer.ts';

const AGAIN_MS = 10 * 60_000;
const MOST_TOLD = 1_024;

type Reached = Extract<SwarmEvent, { kind: 'reached' }>;

type Called = Pick<DialRequest, 'sphereId' | 'path' | 'toldBy' | 'endpoint'>;
type Asked = Pick<Reached, 'sphereId' | 'device' | 'endpoint'>;

interface ReachTellerDeps {
  readonly clock: Clock;
  readonly tell: (event: Reached) => void;
  /** Whether the endpoint is at our own router: what it does for its own network says nothing of the world outside. */
  readonly isAtOurRouter: (endpoint: string) => boolean;
}

/** Tells members what came of calling their endpoints of the internet's IPv4, seldom as long as nothing changes. */
export class ReachTeller {
  readonly #deps: ReachTellerDeps;
  readonly #told = new RecentMap<string, { outcome: ReachOutcome; atMs: number }>(MOST_TOLD);
  /** Where each device's own calls came from last. */
  readonly #seen = new RecentMap<DeviceKey, string>(MOST_TOLD);

  constructor(deps: ReachTellerDeps) {
    this.#deps = deps;
  }

  /** A device called us from there. */
  seen(device: DeviceKey, address: string): void {
    this.#seen.set(device, address);
  }

  /** The address the device's own streams came from last. */
  seenAs(device: DeviceKey): string | null {
    return this.#seen.get(device) ?? null;
  }

  ended({ path, toldBy: device, endpoint, sphereId }: Called, ended: DialOutcome): void {
    if (path !== 'tcp' || device === null || this.#deps.isAtOurRouter(endpoint)) return;
    const outcome = outcomeFor(device, ended);
    const key = `${device} ${endpoint}`;
    const nowMs = this.#deps.clock.monotonic();
    const last = this.#told.get(key);
    const isFresh = last !== undefined && nowMs - last.atMs < AGAIN_MS;
    // It may lack the one torrent and have the other.
    if (isFresh && (last.outcome === outcome || outcome === 'refused')) return;
    this.answer({ sphereId, device, endpoint }, ended);
  }

  /** The device asked for it: it hears what came of the call whatever it was told before. */
  answer({ sphereId, device, endpoint }: Asked, ended: DialOutcome): void {
    const outcome = outcomeFor(device, ended);
    this.#told.set(`${device} ${endpoint}`, { outcome, atMs: this.#deps.clock.monotonic() });
    this.#deps.tell({ kind: 'reached', sphereId, device, endpoint, outcome, seenAs: this.seenAs(device) });
  }
}

/** Of two devices behind one shared address the other one may answer: that is no way to the device that told it. */
function outcomeFor(device: DeviceKey, ended: DialOutcome): ReachOutcome {
  if (ended.kind !== 'connected') return ended.kind;
  return ended.dialled.admitted.device === device ? 'reached' : 'refused';
}
