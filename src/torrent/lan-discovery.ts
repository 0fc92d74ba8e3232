// BEP 14: Local Service Discovery, version 20150210; Spherecast wire format, "LAN announcements"
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { formatEndpoint } from './endpoint.ts';
import { formatLanAnnounce, lanTag, lanTagsAround, parseLanAnnounce } from './lan-announce.ts';
import type { LanInterface, LanNetwork, LanSocket } from './lan-network.ts';

/** A sphere to be found for. */
export interface LanSphere {
  readonly sphereId: SphereId;
  /** Newest epoch first; announced are all, for members who do not know the newest yet. */
  readonly lanKeys: readonly Uint8Array[];
}

export interface LanDiscoveryDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly network: LanNetwork;
  readonly spheres: () => readonly LanSphere[];
  /** The port members call. */
  readonly port: () => number;
  /** Somebody in our network announced a sphere of ours; nothing about it is proven yet. */
  readonly onPeer: (sphereId: SphereId, endpoint: string) => void;
}

/** How discovery fares on one interface. */
export interface LanState {
  readonly name: string;
  readonly address: string;
  /** null while it takes part; else why it does not. */
  readonly failure: string | null;
}

/** BEP 14: every five minutes; the first announcements are repeated, because wireless networks lose multicast. */
const INTERVAL_MS = 5 * 60_000;
const REPEATS_MS = [0, 1_000, 3_000];
/** Interfaces come and go. */
const LOOK_MS = 5_000;
/** A newcomer hears us at once, and a flood of newcomers no more often than this. */
const ANSWER_MS = 2_000;
const WINDOW_MS = 10_000;
/** Looking whether a packet names a sphere of ours costs little: others' traffic, and made-up tags, keep no member out. */
const MOST_PACKETS_PER_WINDOW = 4_000;
const MOST_OF_OURS_PER_WINDOW = 400;
/** Heard of each sender all the same: whoever repeats what a member said, from made-up addresses, keeps no member out. */
const ALWAYS_PER_SENDER = 4;
const MOST_PACKETS_PER_SENDER = 20;
const MOST_KNOWN = 512;

/** Finds members in the networks this machine is in, without any server. */
export class LanDiscovery {
  readonly #deps: LanDiscoveryDeps;
  readonly #cookie: string;
  readonly #sockets = new Map<string, { readonly lan: LanInterface; readonly socket: LanSocket }>();
  readonly #failures = new Map<string, string>();
  /** Packets in this window, by sender, '' = of all. */
  readonly #heard = new Map<string, number>();
  /** The same of those that name a sphere of ours. */
  readonly #heardOfOurs = new Map<string, number>();
  #windowMs = -Infinity;
  #spokenMs = -Infinity;
  readonly #known = new Set<string>();
  /** By the tags they may have now. */
  readonly #tagged = new Map<string, SphereId>();
  #spoken = '';
  #schedule: number[] = [];
  #wake = new AbortController();

  constructor(deps: LanDiscoveryDeps) {
    this.#deps = deps;
    this.#cookie = toHex(deps.random(8));
  }

  get states(): LanState[] {
    return this.#deps.network.interfaces().map((lan) => ({
      name: lan.name,
      address: lan.address,
      failure: this.#failures.get(keyOf(lan)) ?? null,
    }));
  }

  /** Spheres, keys or the port changed. */
  lookAgain(): void {
    this.#wake.abort();
  }

  /** Takes part until aborted; then leaves every group. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        this.#wake = new AbortController();
        const hasNewInterface = await this.#openNew(signal);
        if (this.#saysNewThings() || hasNewInterface) this.#startOver();
        this.#speakWhenDue();
        await this.#rest(signal);
      }
    } finally {
      for (const { socket } of this.#sockets.values()) socket[Symbol.dispose]();
      this.#sockets.clear();
    }
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const nextMs = Math.min(...this.#schedule, clock.monotonic() + LOOK_MS);
    try {
      await clock.sleep(Math.max(10, nextMs - clock.monotonic()), AbortSignal.any([signal, this.#wake.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      // Woken: something changed.
    }
  }

  /** Opens what has come and closes what has gone; true when something has come. */
  async #openNew(signal: AbortSignal): Promise<boolean> {
    const { network, log } = this.#deps;
    const present = new Map(network.interfaces().map((lan) => [keyOf(lan), lan]));
    for (const key of Array.from(this.#sockets.keys())) if (!present.has(key)) this.#close(key);
    let hasNew = false;
    for (const [key, lan] of present) {
      if (this.#sockets.has(key)) continue;
      try {
        const onPacket = (packet: Uint8Array, sender: string): void => this.#receive(packet, sender);
        const socket = await network.open(lan, onPacket, (error) => this.#failed(key, error));
        if (signal.aborted) {
          socket[Symbol.dispose]();
          return false;
        }
        this.#sockets.set(key, { lan, socket });
        this.#failures.delete(key);
        hasNew = true;
      } catch (error) {
        // Tried again at every look; told to the person who asks, once to the log.
        if (!this.#failures.has(key)) log.info('no discovery on an interface', { error });
        this.#failures.set(key, error instanceof Error ? error.message : 'failed');
      }
    }
    return hasNew;
  }

  #failed(key: string, error: unknown): void {
    this.#deps.log.debug('discovery on an interface failed', { error });
    this.#failures.set(key, error instanceof Error ? error.message : 'failed');
    this.#close(key);
  }

  #close(key: string): void {
    this.#sockets.get(key)?.socket[Symbol.dispose]();
    this.#sockets.delete(key);
  }

  #tags(): string[] {
    const now = this.#deps.clock.now();
    return this.#deps.spheres().flatMap(({ lanKeys }) => lanKeys.map((key) => lanTag(key, now)));
  }

  #saysNewThings(): boolean {
    const says = `${this.#deps.port()} ${this.#tags().join(' ')}`;
    if (says === this.#spoken) return false;
    this.#spoken = says;
    this.#tagged.clear();
    const now = this.#deps.clock.now();
    for (const { sphereId, lanKeys } of this.#deps.spheres()) {
      for (const tag of lanKeys.flatMap((key) => lanTagsAround(key, now))) this.#tagged.set(tag, sphereId);
    }
    return true;
  }

  #startOver(): void {
    const now = this.#deps.clock.monotonic();
    this.#schedule = REPEATS_MS.map((ms) => now + ms);
  }

  #speakWhenDue(): void {
    const now = this.#deps.clock.monotonic();
    if (!this.#schedule.some((ms) => ms <= now)) return;
    this.#spokenMs = now;
    this.#schedule = this.#schedule.filter((ms) => ms > now);
    if (this.#schedule.length === 0) this.#schedule = [now + INTERVAL_MS];
    const announce = { port: this.#deps.port(), cookie: this.#cookie, tags: this.#tags() };
    for (const { lan, socket } of Array.from(this.#sockets.values())) {
      for (const packet of formatLanAnnounce(announce, lan.group)) socket.send(packet);
    }
  }

  #receive(packet: Uint8Array, sender: string): void {
    if (!this.#mayHear(sender)) return;
    const announce = parseLanAnnounce(packet);
    if (announce === undefined || announce.cookie === this.#cookie) return;
    const endpoint = formatEndpoint(sender, announce.port);
    const spheres = new Set(announce.tags.flatMap((tag) => this.#tagged.get(tag) ?? []));
    if (spheres.size === 0 || !this.#mayHearOfOurs(sender)) return;
    for (const sphereId of spheres) {
      this.#answerNewcomer(`${announce.cookie} ${endpoint} ${sphereId}`);
      this.#deps.onPeer(sphereId, endpoint);
    }
  }

  /** Who started after our last announcement does not know us; it may also be the one that waits for a call. */
  #answerNewcomer(key: string): void {
    if (this.#known.has(key)) return;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.add(key);
    const answerMs = Math.max(this.#deps.clock.monotonic(), this.#spokenMs + ANSWER_MS);
    if (this.#schedule.some((ms) => ms <= answerMs)) return;
    this.#schedule.push(answerMs);
    this.lookAgain();
  }

  #mayHear(sender: string): boolean {
    const now = this.#deps.clock.monotonic();
    if (now >= this.#windowMs + WINDOW_MS) {
      this.#windowMs = now;
      this.#heard.clear();
      this.#heardOfOurs.clear();
    }
    if (count(this.#heard, '') > MOST_PACKETS_PER_WINDOW) return false;
    return count(this.#heard, sender) <= MOST_PACKETS_PER_SENDER;
  }

  #mayHearOfOurs(sender: string): boolean {
    const all = count(this.#heardOfOurs, '');
    return count(this.#heardOfOurs, sender) <= ALWAYS_PER_SENDER || all <= MOST_OF_OURS_PER_WINDOW;
  }
}

function count(heard: Map<string, number>, sender: string): number {
  const packets = (heard.get(sender) ?? 0) + 1;
  heard.set(sender, packets);
  return packets;
}

function keyOf(lan: LanInterface): string {
  return `${lan.name} ${lan.address}`;
}
