import type { ContractRouterClient } from '@orpc/contract';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import { NO_FINDING, type Finding } from '../contract/finding.ts';
import type { EpochKeys, IceServer, RefusedTorrent, SwarmContract, SwarmEvent } from '../contract/swarm.ts';
import type { LimitsView } from '../contract/views.ts';
import { afterEvent, type FedTorrent } from './fed-torrent.ts';
import { inMessages } from './in-messages.ts';
import { stageSegments } from './stage-segments.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { withinTime } from '../base/within-time.ts';

/** The swarm as spheres see it: the process behind it may die and come back at any time. */
export type SwarmCalls = ContractRouterClient<SwarmContract>;

/** How this device presents itself to the swarm process. */
export interface SwarmIdentity {
  readonly deviceKey: DeviceKey;
  readonly devicePrivateKey: Uint8Array;
  readonly dataPort: number;
  readonly addresses: string[];
  readonly mapPorts: boolean;
  /** Whether members in the own network are looked for. */
  readonly discoverLan: boolean;
  /** Whether members have a tracker here, and theirs are told what is here. */
  readonly tracker: boolean;
  readonly extraPorts: number[];
}

type Opened = Parameters<SwarmCalls['setOpened']>[0];
type OfferedMetainfo = Parameters<SwarmCalls['offerMetainfo']>[0];
type Endpoints = Parameters<SwarmCalls['setEndpoints']>[0] & { readonly device: DeviceKey };

interface SphereKeys {
  readonly epochs: EpochKeys[];
  readonly devices: DeviceKey[];
  readonly limits?: LimitsView;
}

/** How long a question waits for a process: longer than a hang is noticed, and the next one is started and fed. */
const PROCESS_MS = 60_000;
const AGAIN_MS = 500;
const NOTHING_OPEN: Opened = { infoHashes: [], port: 0 };
/** A question that ends this many processes may be what ends them. */
const MOST_PROCESSES = 3;

/**
 * Remembers everything the swarm process was told, so that a restarted one is fed the same again:
 * the process keeps no state of its own.
 */
export class SwarmFeed {
  readonly onEvent: Emitter<SwarmEvent>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #spheres = new Map<SphereId, SphereKeys>();
  readonly #endpoints = new Map<string, Endpoints>();
  readonly #torrents = new Map<InfoHash, FedTorrent>();
  readonly #offers = new Map<string, OfferedMetainfo>();
  #identity: SwarmIdentity | null = null;
  #iceServers: IceServer[] = [];
  #discoverOn: readonly string[] = [];
  #opened: Opened = NOTHING_OPEN;
  #limits: LimitsView = { up: 0, down: 0 };
  #finding: Finding = NO_FINDING;
  #calls: SwarmCalls | null = null;
  /** Settles when the process has been told everything; what is new meanwhile is told after that. */
  #feeding: Promise<unknown> = Promise.resolve();
  /** Told to the process with the next call. */
  readonly #unadded = new Map<InfoHash, PromiseWithResolvers<void>>();
  readonly #adding = new SerialQueue();
  #refuse: (error: unknown) => void = () => undefined;
  #port = 0;
  /** Wakes those who wait for a process. */
  #attached = Promise.withResolvers<void>();

  constructor(deps: { clock: Clock; log: Logger }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.onEvent = new Emitter((error) => deps.log.error('swarm listener failed', { error }));
  }

  /** The data port the swarm really took, 0 while it does not run. */
  get port(): number {
    return this.#port;
  }

  get running(): boolean {
    return this.#calls !== null && this.#port !== 0;
  }

  /** A swarm process is there (first time or again): tells it everything, then passes on its events until it dies. */
  async attach(calls: SwarmCalls, signal: AbortSignal): Promise<void> {
    const refused = Promise.withResolvers<never>();
    this.#calls = calls;
    this.#refuse = refused.reject;
    this.#attached.resolve();
    try {
      await Promise.race([this.#attend(calls, signal), refused.promise]);
    } finally {
      this.#gone(calls);
    }
  }

  /** Starts listening as this device; null stops sharing and forgets everything that was said (signed out). */
  async setIdentity(identity: SwarmIdentity | null): Promise<void> {
    const before = this.#identity;
    this.#identity = identity;
    if (identity === null) {
      for (const said of [this.#spheres, this.#endpoints, this.#torrents, this.#offers]) said.clear();
      this.#iceServers = [];
      this.#opened = NOTHING_OPEN;
    }
    const calls = this.#calls;
    if (calls === null) return;
    try {
      if (identity !== null) await this.#feed(calls, identity);
      else if (before !== null) await calls.stop();
    } catch (error) {
      // Not the caller's to mend: whoever attached the process replaces it, and the next one is fed anew.
      this.#log.warn('swarm process refuses its state', { error });
      if (this.#calls === calls) this.#refuse(error);
    }
  }

  async setSphere(sphereId: SphereId, keys: SphereKeys): Promise<void> {
    this.#spheres.set(sphereId, keys);
    this.#forgetEndpoints(sphereId, keys.devices);
    await this.#tell((calls) => calls.setSphere({ sphereId, ...keys }));
  }

  async removeSphere(sphereId: SphereId): Promise<void> {
    this.#spheres.delete(sphereId);
    for (const [key, offer] of this.#offers) if (offer.sphereId === sphereId) this.#offers.delete(key);
    this.#forgetEndpoints(sphereId, []);
    await this.#tell((calls) => calls.removeSphere({ sphereId }));
  }

  async setEndpoints(endpoints: Endpoints): Promise<void> {
    this.#endpoints.set(`${endpoints.sphereId} ${endpoints.device}`, endpoints);
    await this.#tell((calls) => calls.setEndpoints(endpoints));
  }

  async setIceServers(servers: IceServer[]): Promise<void> {
    this.#iceServers = servers;
    await this.#tell((calls) => calls.setIceServers({ servers }));
  }

  /** By which of our addresses members may be looked for in the own network; none before it is said. */
  async setDiscovery(addresses: readonly string[]): Promise<void> {
    if (addresses.join(' ') === this.#discoverOn.join(' ')) return;
    this.#discoverOn = addresses;
    await this.#tell((calls) => calls.setDiscovery({ addresses: this.#discoveryOf(this.#identity) }));
  }

  /** What another device told ours to connect; of use only to the process that runs now. */
  async signal(signal: Parameters<SwarmCalls['signal']>[0]): Promise<void> {
    await this.#tell((calls) => calls.signal(signal));
  }

  async reached(word: Parameters<SwarmCalls['reached']>[0]): Promise<void> {
    await this.#tell((calls) => calls.reached(word));
  }

  async probe(word: Parameters<SwarmCalls['probe']>[0]): Promise<void> {
    await this.#tell((calls) => calls.probe(word));
  }

  async fetching(word: Parameters<SwarmCalls['fetching']>[0]): Promise<void> {
    await this.#tell((calls) => calls.fetching(word));
  }

  /** The network came back or is another one. */
  async networkChanged(): Promise<void> {
    await this.#tell((calls) => calls.networkChanged());
  }

  /** Members of the sphere get this when they ask for the description of that public torrent. */
  async offerMetainfo(offer: OfferedMetainfo): Promise<void> {
    this.#offers.set(`${offer.sphereId} ${offer.infoHash}`, offer);
    await this.#tell((calls) => calls.offerMetainfo(offer));
  }

  /** Which plain items other programs may fetch; replaces what was said before. */
  async setOpened(opened: Opened): Promise<void> {
    this.#opened = opened;
    await this.#tell((calls) => calls.setOpened(opened));
  }

  has(infoHash: InfoHash): boolean {
    return this.#torrents.has(infoHash);
  }

  /** In which spheres a torrent is served beside its own; undefined when it is not held. */
  alsoIn(infoHash: InfoHash): readonly SphereId[] | undefined {
    const spec = this.#torrents.get(infoHash);
    return spec && (spec.alsoIn ?? []);
  }

  async add(spec: FedTorrent): Promise<void> {
    this.#torrents.set(spec.infoHash, spec);
    await this.#tell((calls) => this.#addSoon(calls, spec.infoHash));
  }

  async remove(infoHash: InfoHash): Promise<void> {
    if (!this.#torrents.delete(infoHash)) return;
    await this.#tell((calls) => calls.remove({ infoHash }));
  }

  async setPaused(infoHash: InfoHash, paused: boolean): Promise<void> {
    const spec = this.#torrents.get(infoHash);
    if (spec === undefined) return;
    this.#torrents.set(infoHash, { ...spec, paused });
    await this.#tell((calls) => (paused ? calls.pause({ infoHash }) : calls.resume({ infoHash })));
  }

  /** How a torrent that is held is sent and received, beside others. */
  async arrange(infoHash: InfoHash, change: Pick<FedTorrent, 'priority' | 'limits'>): Promise<void> {
    const spec = this.#torrents.get(infoHash);
    if (spec === undefined) return;
    this.#torrents.set(infoHash, { ...spec, ...change });
    const { priority, limits } = change;
    if (priority !== undefined) await this.#tell((calls) => calls.setPriority({ infoHash, priority }));
    if (limits !== undefined) await this.#tell((calls) => calls.setLimits({ ...limits, infoHash }));
  }

  async setSphereLimits(sphereId: SphereId, limits: LimitsView): Promise<void> {
    const keys = this.#spheres.get(sphereId);
    if (keys !== undefined) await this.setSphere(sphereId, { ...keys, limits });
  }

  async setLimits(limits: LimitsView): Promise<void> {
    this.#limits = limits;
    await this.#tell((calls) => calls.setLimits(limits));
  }

  async setFinding(finding: Finding): Promise<void> {
    this.#finding = finding;
    await this.#tell((calls) => calls.setFinding(finding));
  }

  async window(infoHash: InfoHash, reader: string, from: number, to: number): Promise<void> {
    await this.#tell((calls) => calls.window({ infoHash, reader, from, to }));
  }

  /**
   * Asks what needs an answer. While no process runs it waits for the next one, which is also asked when the one
   * asked first dies over it; gives up with `swarm-unavailable` after a minute without a process.
   */
  async ask<T>(question: (calls: SwarmCalls) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let asked = 1; ; asked += 1) {
      const calls = await this.#process(signal);
      try {
        return await question(calls);
      } catch (error) {
        signal.throwIfAborted();
        if (errorCode(error) !== 'swarm-unavailable' || asked === MOST_PROCESSES) throw error;
        this.#log.info('swarm process will be asked again', { error });
        // The death of a process may be known to its calls first.
        await this.#clock.sleep(AGAIN_MS, signal);
      }
    }
  }

  /** The process that runs now or the next one, once it has been told everything. */
  async #process(signal: AbortSignal): Promise<SwarmCalls> {
    const limit = { clock: this.#clock, ms: PROCESS_MS };
    try {
      return await withinTime(limit, signal, async (limited) => {
        for (;;) {
          await Promise.race([this.#attached.promise, untilAborted(limited)]);
          const calls = this.#calls;
          await Promise.race([this.#feeding, untilAborted(limited)]);
          if (calls !== null && calls === this.#calls) return calls;
        }
      });
    } catch (error) {
      signal.throwIfAborted();
      throw new AppError('swarm-unavailable', 'the swarm process does not come back', {}, error);
    }
  }

  #gone(calls: SwarmCalls): void {
    if (this.#calls !== calls) return;
    this.#calls = null;
    this.#port = 0;
    this.#attached = Promise.withResolvers<void>();
  }

  async #attend(calls: SwarmCalls, signal: AbortSignal): Promise<void> {
    if (this.#identity !== null) await this.#feed(calls, this.#identity);
    for await (const events of await calls.events(undefined, { signal })) for (const event of events) this.#take(event);
  }

  #discoveryOf(identity: SwarmIdentity | null): string[] {
    return identity?.discoverLan === true ? [...this.#discoverOn] : [];
  }

  /** Where the devices of those who have gone were does not matter any more. */
  #forgetEndpoints(sphereId: SphereId, except: readonly DeviceKey[]): void {
    for (const [key, said] of this.#endpoints) {
      if (said.sphereId === sphereId && !except.includes(said.device)) this.#endpoints.delete(key);
    }
  }

  async #feed(calls: SwarmCalls, identity: SwarmIdentity): Promise<void> {
    const feeding = this.#feedAll(calls, identity);
    this.#feeding = Promise.allSettled([feeding]);
    await feeding;
  }

  async #feedAll(calls: SwarmCalls, identity: SwarmIdentity): Promise<void> {
    const discoverOn = this.#discoveryOf(identity);
    const { dataPort } = await calls.start({ ...identity, discoverOn, limits: this.#limits });
    this.#port = dataPort;
    if (this.#finding !== NO_FINDING) await calls.setFinding(this.#finding);
    if (this.#iceServers.length > 0) await calls.setIceServers({ servers: this.#iceServers });
    for (const [sphereId, keys] of this.#spheres) await calls.setSphere({ sphereId, ...keys });
    await this.#addAll(calls, Array.from(this.#torrents.keys()));
    if (this.#opened.infoHashes.length > 0) await calls.setOpened(this.#opened);
    for (const offer of this.#offers.values()) await calls.offerMetainfo(offer);
    for (const endpoints of this.#endpoints.values()) await calls.setEndpoints(endpoints);
  }

  /** What is added while others are being added goes together: one call for each would take a start seconds. */
  #addSoon(calls: SwarmCalls, infoHash: InfoHash): Promise<void> {
    const told = this.#unadded.get(infoHash) ?? Promise.withResolvers<void>();
    this.#unadded.set(infoHash, told);
    void this.#adding.run(() => this.#addWaiting(calls));
    return told.promise;
  }

  async #addWaiting(calls: SwarmCalls): Promise<void> {
    const waiting = new Map(this.#unadded);
    this.#unadded.clear();
    try {
      for (const { infoHash, code, message } of await this.#addAll(calls, Array.from(waiting.keys()))) {
        waiting.get(infoHash)?.reject(new AppError(code, message, { infoHash }));
      }
      for (const { resolve } of waiting.values()) resolve();
    } catch (error) {
      for (const { reject } of waiting.values()) reject(error);
    }
  }

  /** What was removed meanwhile is left out; one that is refused must not keep the others from being held. */
  async #addAll(calls: SwarmCalls, infoHashes: readonly InfoHash[]): Promise<RefusedTorrent[]> {
    const refused: RefusedTorrent[] = [];
    const specs = infoHashes.flatMap((infoHash) => this.#torrents.get(infoHash) ?? []);
    for (const message of inMessages(specs)) {
      const torrents: FedTorrent[] = [];
      for (const spec of message) torrents.push(await stageSegments(calls, spec));
      const [ofSpheres, others] = [torrents.filter(isOfSphere), torrents.filter((spec) => !isOfSphere(spec))];
      if (ofSpheres.length > 0) refused.push(...(await calls.addAll({ torrents: ofSpheres })).refused);
      if (others.length > 0) refused.push(...(await calls.addPublic({ torrents: others })).refused);
    }
    for (const { infoHash, code, message } of refused) {
      this.#log.warn('torrent not accepted', { infoHash, code, reason: message });
    }
    return refused;
  }

  /** While the process is away the call is dropped: feeding it again says the same. */
  async #tell(call: (calls: SwarmCalls) => Promise<unknown>): Promise<void> {
    const calls = this.#calls;
    if (calls === null || this.#identity === null) return;
    await this.#feeding;
    if (this.#calls !== calls) return;
    try {
      await call(calls);
    } catch (error) {
      // The death of a process may be known to its calls first.
      if (this.#calls === calls && errorCode(error) !== 'swarm-unavailable') throw error;
    }
  }

  #take(event: SwarmEvent): void {
    if (event.kind === 'have' || event.kind === 'state') {
      const { infoHash } = event.kind === 'have' ? event : event.torrent;
      const spec = this.#torrents.get(infoHash);
      if (spec !== undefined) this.#torrents.set(infoHash, afterEvent(spec, event));
    }
    this.onEvent.emit(event);
  }
}

const isOfSphere = (spec: FedTorrent): spec is FedTorrent & { readonly sphereId: SphereId } => spec.sphereId !== null;
