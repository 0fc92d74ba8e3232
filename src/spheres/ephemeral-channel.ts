import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, DeviceKey, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Storage } from '../storage/storage.ts';
import type { Carrier } from './carrier.ts';
import { EarlyWords } from './early-words.ts';
import type { IncomingEphemeral } from './incoming-message.ts';
import type { EphemeralBodies, EphemeralInput } from './protocol/ephemeral.ts';
import { openEphemeral, sealEphemeral } from './protocol/ephemeral.ts';
import type { Author } from './protocol/event.ts';
import type { HeldEpoch, Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface EphemeralChannelDeps {
  readonly storage: Pick<Storage, 'settings' | 'heardCounters'>;
  readonly list: SphereList;
  readonly carrier: Carrier;
  readonly author: Author;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Another device of a sphere, whose word is proven and new. */
export interface Speaker {
  readonly sphere: Sphere;
  readonly device: DeviceKey;
}

/** In which epoch heads were told. */
export interface HeardHeads extends Speaker {
  /** Whether it is the newest one that we know of. */
  readonly isCurrent: boolean;
}

type Kind = keyof EphemeralBodies;

/** What was said to a room. */
export interface Said {
  readonly room: BareJid;
  readonly kind: Kind;
  /** The device that it is for; null = for everybody who is there. */
  readonly to: string | null;
}

type Listener<K extends Kind> = (from: Speaker, body: EphemeralBodies[K]) => Promise<void> | void;

/** How many epochs back a word is still believed: the one being replaced may be in flight. */
const BELIEVED_EPOCHS = 2;
/** Heads that cover no device: that they are told under an older key is all they say. */
const NOTHING_TOLD = { heads: [], until: '0'.repeat(64) as DeviceKey };
const COUNTER = 'ephemeral-counter';
/** Counters are noted so far ahead that they need not be noted each time. */
const RESERVED = 60_000;

/** Carries words of the moment between the devices that are present in a sphere's room. Nobody stores them. */
export class EphemeralChannel {
  /** Another device said something that was believed. */
  readonly onHeard: Emitter<DeviceKey>;
  /** The same, under any key that is here; `room`: the one that the sphere is in, or one that it has left. */
  readonly onHere: Emitter<Speaker & { readonly room: BareJid }>;
  /** Something is said under a key that is not here; the server may have made that up. */
  readonly onUnheard: Emitter<Sphere>;
  /** A device told its heads, or that it lacks the newest key. */
  readonly onHeads: Emitter<HeardHeads>;
  /** Something was said from here. */
  readonly onSaid: Emitter<Said>;
  readonly #deps: EphemeralChannelDeps;
  readonly #listeners: { [K in Kind]?: Listener<K> } = {};
  readonly #lastCounters = new Map<string, number>();
  /** A later word must not overtake an earlier one: its reader would refuse that. */
  readonly #sending = new Map<BareJid, SerialQueue>();
  readonly #early: EarlyWords;
  #counter: number;
  /** Below this everything counts as used, also after a restart. */
  #reserved: number;

  constructor(deps: EphemeralChannelDeps) {
    this.#deps = deps;
    const onError = (error: unknown): void => deps.log.error('listener for what was heard failed', { error });
    this.onHeard = new Emitter(onError);
    this.onUnheard = new Emitter(onError);
    this.onHere = new Emitter(onError);
    this.onHeads = new Emitter(onError);
    this.#early = new EarlyWords(deps.clock);
    deps.list.onChange.on(({ sphere }) => this.#hearEarly(sphere));
    this.onSaid = new Emitter(onError);
    this.#reserved = deps.storage.settings.get(COUNTER, Number) ?? 0;
    this.#counter = this.#reserved;
  }

  /** Who acts on messages of this kind; there is one. */
  on<K extends Kind>(kind: K, listener: Listener<K>): void {
    this.#listeners[kind] = listener as never;
  }

  /** Says it to everybody present, in the order of the calls; nothing is said to ordinary programs only. */
  async say<K extends Kind>(sphere: Sphere, kind: K, body: EphemeralInput[K]): Promise<void> {
    await this.#inTurn(sphere, () => this.#sayNow(sphere, () => sphere.currentEpoch, kind, body));
  }

  /**
   * Says that the current key is not here, and no more: it is said under a key that is, which somebody who has gone may
   * hold. `back` = how many epochs further back than the newest one. Resolves with whether anybody is there to hear it.
   */
  async sayLacking(sphere: Sphere, back: number): Promise<boolean> {
    const { epochs } = sphere;
    const epoch = epochs[back % epochs.length];
    if (epoch === undefined) return false;
    return await this.#inTurn(sphere, () => this.#sayNow(sphere, () => epoch, 'heads', NOTHING_TOLD));
  }

  async #inTurn({ row: { room } }: Sphere, say: () => Promise<boolean>): Promise<boolean> {
    const queue = this.#sending.get(room) ?? new SerialQueue();
    this.#sending.set(room, queue);
    return await queue.run(say);
  }

  async #sayNow<K extends Kind>(
    sphere: Sphere,
    epochOf: () => HeldEpoch,
    kind: K,
    body: EphemeralInput[K],
  ): Promise<boolean> {
    const { carrier, author, random, log } = this.#deps;
    const { room } = sphere.row;
    try {
      // Ordinary programs would only wonder.
      if (!carrier.isInRoom(room) || !(await carrier.isHeard(room))) return false;
      const epoch = epochOf();
      const context = { sphere: sphere.id, epoch: epoch.eventId };
      const input = { context, epoch: epoch.secrets, device: author.device, counter: this.#nextCounter(), random };
      await carrier.toRoomNow(room, { ...context, bytes: sealEphemeral(input, kind, body) });
      this.onSaid.emit({ room, kind, to: 'to' in body ? body.to : null });
      return true;
    } catch (error) {
      // What is worth it is said again: who joins or returns next is told anew, and calls are repeated.
      log.debug('nothing said', { kind, error });
      return false;
    }
  }

  async receive(message: IncomingEphemeral): Promise<void> {
    const { list, log } = this.#deps;
    const sphere = list.ofRoom(message.room);
    if (sphere === undefined || sphere.id !== message.sphere) return;
    const age = sphere.epochs.findIndex(({ eventId }) => eventId === message.epoch);
    const epoch = sphere.epochs[age];
    if (epoch === undefined) return this.onUnheard.emit(sphere);
    try {
      const context = { sphere: sphere.id, epoch: epoch.eventId };
      const lastCounter = (device: DeviceKey): number | undefined => this.#lastCounter(sphere, device);
      const opened = openEphemeral({ context, epoch: epoch.secrets, lastCounter }, message.bytes);
      const { device, counter } = opened;
      this.#lastCounters.set(key(sphere.id, device), counter);
      if (device === sphere.device) return;
      this.onHere.emit({ sphere, device, room: message.room });
      if (opened.kind === 'heads') this.onHeads.emit({ sphere, device, isCurrent: age === 0 });
      if (age >= BELIEVED_EPOCHS) return;
      if (opened.kind !== 'unknown') await this.#listeners[opened.kind]?.({ sphere, device }, opened.body as never);
      this.onHeard.emit(device);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.warn('ephemeral message refused', { error });
      if (error.code === 'not-a-member') this.#early.keep(message, error.details['device'] as DeviceKey);
    }
  }

  #hearEarly(sphere: Sphere): void {
    const { log } = this.#deps;
    for (const message of this.#early.take(sphere))
      this.receive(message).catch((error: unknown) => log.error('an early word failed', { error }));
  }

  /** What was acted on is noted, so that a restart makes old words no new ones. */
  note({ sphere, device }: Speaker): void {
    const counter = this.#lastCounters.get(key(sphere.id, device));
    if (counter !== undefined) this.#deps.storage.heardCounters.put({ sphereId: sphere.id, device, counter });
  }

  #lastCounter(sphere: Sphere, device: DeviceKey): number | undefined {
    if (!sphere.state.devices.has(device)) return undefined;
    const known = this.#lastCounters.get(key(sphere.id, device));
    return known ?? this.#deps.storage.heardCounters.get(sphere.id, device) ?? -1;
  }

  /** Grows over restarts too, and when the clock goes back. */
  #nextCounter(): number {
    const { clock, storage } = this.#deps;
    this.#counter = Math.max(clock.now(), this.#counter + 1);
    if (this.#counter >= this.#reserved) {
      this.#reserved = this.#counter + RESERVED;
      storage.settings.set(COUNTER, this.#reserved);
    }
    return this.#counter;
  }
}

function key(sphereId: SphereId, device: DeviceKey): string {
  return `${sphereId} ${device}`;
}
