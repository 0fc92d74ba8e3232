import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceKey, InfoHash } from '../base/id.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import { RateLimit } from '../base/rate-limit.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import type { PackOffer } from './mailbox.ts';
import type { PackGiverDeps, Wish } from './pack-giver.ts';
import { GIVEN, PackGiver } from './pack-giver.ts';
import type { PackTakerDeps } from './pack-taker.ts';
import { PackTaker } from './pack-taker.ts';
import type { Sphere } from './sphere.ts';

/** How what is missing in a log comes and goes beside mail. */
export interface PackExchange {
  /** Whether what is missing is on its way: asked for again it would come twice. */
  isComing(sphere: Sphere): boolean;
  /** Whether what is much may come as a pack of this device. */
  mayCome(sphere: Sphere, device: DeviceKey): boolean;
  /** A device was told so. */
  asked(sphere: Sphere, device: DeviceKey): void;
  /** Whether these events are, or will be, given to the device as a pack; if not, they are to be sent by mail. */
  give(wish: Wish): boolean;
}

const LOOK_AGAIN_MS = 60_000;
/** States in which nothing more comes by itself. */
const AT_REST: readonly string[] = ['failed', 'missing', 'changed', 'disk-full'];

/** Long histories, which travel as one encrypted file over the swarm: those that we give, and those that come. */
export class HistoryPacks implements PackExchange, Disposable {
  readonly #deps: PackGiverDeps & PackTakerDeps;
  readonly #giver: PackGiver;
  readonly #taker: PackTaker;
  /** Nobody gives more; whoever tells of more does not make us talk. */
  readonly #refusing: RateLimit;
  readonly #work: RecurringWork;
  readonly #stops: readonly (() => void)[];
  /** Whether the folder is there, and holds nothing else. */
  #isReady = false;

  constructor(deps: PackGiverDeps & PackTakerDeps) {
    this.#deps = deps;
    this.#giver = new PackGiver(deps);
    this.#taker = new PackTaker(deps);
    this.#refusing = new RateLimit({ ...deps, ...GIVEN });
    this.#work = new RecurringWork({ ...deps, pass: (signal) => this.#pass(signal), retryMs: LOOK_AGAIN_MS });
    this.#stops = [
      deps.feed.onEvent.on((event) => this.#hear(event)),
      deps.channel.onHeard.on((device) => {
        if (this.#taker.hasEndFor(device)) deps.spawn('end packs', () => this.#taker.heard(device));
      }),
    ];
    deps.channel.on('pack-end', ({ sphere, device }, { to, infoHash }) => {
      if (to === sphere.device) deps.spawn('forget pack', () => this.#giver.ended(infoHash, device));
    });
  }

  isComing(sphere: Sphere): boolean {
    return this.#taker.isComing(sphere);
  }

  mayCome(sphere: Sphere, device: DeviceKey): boolean {
    return this.#taker.mayCome(sphere, device);
  }

  asked(sphere: Sphere, device: DeviceKey): void {
    this.#taker.asked(sphere, device);
  }

  give(wish: Wish): boolean {
    return this.#isReady && this.#giver.give(wish);
  }

  /** A member's device says that it has one for us; in the caller's transaction. */
  offered(sphere: Sphere, offer: PackOffer): void {
    const infoHash = this.#taker.offered(sphere, offer);
    const { device } = offer;
    if (infoHash === null) return this.#work.wake();
    if (device !== null && this.#refusing.take(`${sphere.id} ${device}`))
      this.#deps.spawn('refuse pack', () => this.#taker.sayEnd(sphere, { device, infoHash }));
  }

  /** Somebody may have gone. */
  changed(): void {
    this.#work.wake();
  }

  /** Goes on with those of earlier runs, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { folder, storage } = this.#deps;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const known = new Set(storage.packs.list().map(({ file }) => file));
    // A run that was killed may have left half a pack.
    for (const name of await readdir(folder)) if (!known.has(name)) await rm(join(folder, name), { force: true });
    this.#isReady = true;
    await this.#work.run(signal);
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  async #pass(signal: AbortSignal): Promise<number> {
    await this.#taker.look(signal);
    const nextMs = await this.#giver.look();
    // Where there is none, only what wakes it makes one.
    return this.#deps.storage.packs.list().length === 0 ? nextMs : Math.min(LOOK_AGAIN_MS, nextMs);
  }

  #hear(event: SwarmEvent): void {
    if (event.kind === 'have' && this.#taker.came(event.infoHash, event.bitfield)) this.#work.wake();
    if (event.kind !== 'state' || !AT_REST.includes(event.torrent.state)) return;
    const { infoHash, error, state } = event.torrent;
    const row = this.#deps.storage.packs.get(infoHash);
    if (row === undefined) return;
    this.#deps.spawn('give pack up', () => this.#atRest(infoHash, error ?? state));
  }

  async #atRest(infoHash: InfoHash, error: unknown): Promise<void> {
    const row = this.#deps.storage.packs.get(infoHash);
    if (row?.state === 'given') await this.#giver.drop(row);
    else await this.#taker.failed(infoHash, error);
  }
}
