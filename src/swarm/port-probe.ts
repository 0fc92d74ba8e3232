import type { Clock } from '../base/clock.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { ReachOutcome, SwarmEvent } from '../contract/swarm.ts';

/** Members are told of an endpoint before one of them is asked to try it. */
const SETTLE_MS = 1_500;
/** So long an answer is waited for: a call that nobody takes ends after five seconds. */
const ANSWER_MS = 12_000;
/** What was found out is asked again before it is forgotten. */
const AGAIN_MS = 10 * 60_000;
/** So many members who did not get in are enough for one round. */
const MOST_REFUSALS = 3;
const MOST_NOTED = 256;

export interface Helper {
  readonly sphereId: SphereId;
  readonly device: DeviceKey;
}

export interface PortProbeDeps {
  readonly clock: Clock;
  /** Endpoints of which members are to say whether they lead here. */
  readonly endpoints: () => readonly string[];
  /** Members outside our own network who may be there, likeliest to help first. */
  readonly helpers: () => readonly Helper[];
  readonly ask: (event: Extract<SwarmEvent, { kind: 'probe' }>) => void;
}

interface Round {
  /** Whoever was asked, in this round. */
  readonly asked: Set<DeviceKey>;
  /** Those of them who said that they did not get in. */
  readonly refused: Set<DeviceKey>;
  nextMs: number;
}

/** Has members outside try our ports on the router, one after the other, seldom once it is known how they stand. */
export class PortProbe {
  readonly #deps: PortProbeDeps;
  readonly #rounds = new Map<string, Round>();
  /** When each device was asked last, monotonic: not always the same ones. */
  readonly #askedMs = new RecentMap<DeviceKey, number>(MOST_NOTED);

  constructor(deps: PortProbeDeps) {
    this.#deps = deps;
  }

  /** Asks whoever is to be asked now. */
  look(): void {
    const endpoints = this.#deps.endpoints();
    for (const endpoint of this.#rounds.keys()) if (!endpoints.includes(endpoint)) this.#rounds.delete(endpoint);
    for (const endpoint of endpoints) this.#lookAt(endpoint);
  }

  /** A member said what came of calling that endpoint. */
  heard(device: DeviceKey, endpoint: string, outcome: ReachOutcome): void {
    const round = this.#rounds.get(endpoint);
    if (round === undefined || (outcome !== 'reached' && !round.asked.has(device))) return;
    if (outcome !== 'reached') round.refused.add(device);
    const isOver = outcome === 'reached' || round.refused.size >= MOST_REFUSALS;
    if (isOver) this.#begin(round);
    round.nextMs = this.#deps.clock.monotonic() + (isOver ? AGAIN_MS : 0);
  }

  /** The network is another one. */
  forget(): void {
    this.#rounds.clear();
  }

  #lookAt(endpoint: string): void {
    const nowMs = this.#deps.clock.monotonic();
    const round = this.#rounds.get(endpoint) ?? { asked: new Set(), refused: new Set(), nextMs: nowMs + SETTLE_MS };
    this.#rounds.set(endpoint, round);
    if (nowMs < round.nextMs) return;
    // All were asked and some did not understand: whoever comes now is asked too, and the others again later.
    if (round.asked.size > 0 && nowMs - round.nextMs >= AGAIN_MS) this.#begin(round);
    const open = this.#deps.helpers().filter(({ device }) => !round.asked.has(device));
    const [helper] = open.toSorted((one, other) => this.#lastMs(one) - this.#lastMs(other));
    if (helper === undefined) return;
    round.asked.add(helper.device);
    round.nextMs = nowMs + ANSWER_MS;
    this.#askedMs.set(helper.device, nowMs);
    this.#deps.ask({ kind: 'probe', ...helper, endpoint });
  }

  #begin(round: Round): void {
    round.asked.clear();
    round.refused.clear();
  }

  #lastMs({ device }: Helper): number {
    return this.#askedMs.get(device) ?? -1;
  }
}
