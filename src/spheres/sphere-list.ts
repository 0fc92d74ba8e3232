import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { OnDisk } from '../storage/database.ts';
import type { SphereRow } from '../storage/sphere-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { SphereChange } from './effects.ts';
import { Effects } from './effects.ts';
import { FormerRooms } from './former-rooms.ts';
import { checkAttachments } from './protocol/check-attachments.ts';
import type { DeliveredEvent } from './protocol/envelope.ts';
import type { KnownType } from './protocol/event-body.ts';
import type { Author, KnownEvent, SignedEvent } from './protocol/event.ts';
import type { Dispatch } from './sphere.ts';
import { Sphere } from './sphere.ts';

export interface ChangedSphere {
  readonly sphere: Sphere;
  readonly changes: readonly SphereChange[];
}

interface SphereListDeps {
  readonly storage: Storage;
  readonly author: Author;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly log: Logger;
}

/** All spheres of the account, each with its log in memory. */
export class SphereList {
  /** After the database has it. */
  readonly onChange: Emitter<ChangedSphere>;
  /** Spheres whose folder is being moved: nothing in it is read or written. */
  readonly moving = new Set<SphereId>();
  readonly #deps: SphereListDeps;
  readonly #former: FormerRooms;
  readonly #spheres = new Map<SphereId, { readonly sphere: Sphere; readonly effects: Effects }>();
  /** What has changed so far in a transaction that is under way. */
  readonly #changing = new Map<SphereId, SphereChange[]>();

  constructor(deps: SphereListDeps) {
    this.#deps = deps;
    this.#former = new FormerRooms(deps.storage);
    this.onChange = new Emitter((error) => deps.log.error('sphere listener failed', { error }));
    for (const row of deps.storage.spheres.list()) this.#load(row.id);
  }

  all(): Sphere[] {
    return [...this.#spheres.values()].map(({ sphere }) => sphere);
  }

  find(id: SphereId): Sphere | undefined {
    return this.#spheres.get(id)?.sphere;
  }

  get(id: SphereId): Sphere {
    const sphere = this.find(id);
    if (sphere === undefined) throw new AppError('not-found', 'no such sphere', { sphereId: id });
    return sphere;
  }

  /** A sphere one can write to. */
  getJoined(id: SphereId): Sphere {
    const sphere = this.get(id);
    const { state } = sphere.row;
    if (state === 'left' || state === 'removed') throw new AppError('not-a-member', 'no longer a member', { state });
    return sphere;
  }

  /** The sphere that is in this room, or was in it before. */
  ofRoom(room: BareJid): Sphere | undefined {
    const isOpen = ({ row }: Sphere): boolean => row.state !== 'left' && row.state !== 'removed';
    const here = this.all().find((sphere) => sphere.row.room === room && isOpen(sphere));
    const former = here ?? this.find(this.#former.sphereOf(room) ?? ('' as SphereId));
    return former !== undefined && isOpen(former) ? former : undefined;
  }

  /** Where to be, as far as the server lets us: in a room that the sphere has left for a while too. */
  wantedRooms(): BareJid[] {
    return this.all().flatMap(({ id, row, wantsRoom }) => {
      if (!wantsRoom) return [];
      return row.state === 'joined' ? [row.room, ...this.#former.roomsOf(id)] : [row.room];
    });
  }

  /** The place read to in a room's archive, by the archive's id. */
  cursorOf(room: BareJid): string | null {
    const { row } = this.ofRoom(room) ?? this.leftOf(room) ?? {};
    return row?.room === room ? row.archiveCursor : this.#former.cursor(room);
  }

  noteCursor(room: BareJid, archiveId: string): void {
    const sphere = this.ofRoom(room);
    if (sphere?.row.room === room) sphere.noteCursor(archiveId);
    else if (sphere !== undefined) this.#former.noteCursor(room, archiveId);
  }

  /** The sphere that we left and whose room this was. */
  leftOf(room: BareJid): Sphere | undefined {
    return this.all().find(({ row }) => row.room === room && row.state === 'left');
  }

  effectsOf(sphere: Sphere): Effects {
    const entry = this.#spheres.get(sphere.id);
    if (entry === undefined) throw new AppError('not-found', 'no such sphere', { sphereId: sphere.id });
    return entry.effects;
  }

  /** Adds a sphere, or opens one again that was left, with what `fill` does to it: all of it or nothing. */
  add(row: SphereRow, fill: (sphere: Sphere) => void): Sphere {
    const known = this.find(row.id);
    const { sphere } = this.#spheres.get(row.id) ?? this.#load(row.id);
    try {
      this.#change(sphere, () => {
        this.#deps.storage.spheres.put(row);
        fill(sphere);
      });
    } catch (error) {
      if (known === undefined) this.#spheres.delete(row.id);
      throw error;
    }
    return sphere;
  }

  /** Our next event in a sphere, with everything that follows from it here. */
  publish<T extends KnownType>(
    sphere: Sphere,
    type: T,
    body: Parameters<typeof Sphere.prototype.append<T>>[1],
    dispatch: Dispatch,
  ): KnownEvent<T> {
    return this.#change(sphere, (changes) => {
      const event = sphere.append(type, body, dispatch);
      changes.push(...this.effectsOf(sphere).apply([event as SignedEvent]));
      return event;
    });
  }

  /** Events that came to us outside a room. */
  take(sphere: Sphere, events: readonly SignedEvent[]): void {
    this.#change(sphere, (changes) => {
      sphere.takeAll(events.map((event) => ({ event, kept: [] })));
      changes.push(...this.effectsOf(sphere).apply(events));
    });
  }

  /** What was said before this device knew of the sphere, with what belongs beside it, as far as that is genuine. */
  takePast(sphere: Sphere, delivered: readonly DeliveredEvent[]): void {
    this.#change(sphere, (changes) => {
      const checked = delivered.map(({ event, attachments }) => {
        const { accepted, unchecked } = checkAttachments(event, attachments);
        return { event, kept: [...accepted, ...unchecked] };
      });
      sphere.takeAll(checked);
      const events = delivered.map(({ event }) => event);
      changes.push(...this.effectsOf(sphere).apply(events, true));
    });
  }

  /** Events that are in the log already: what they say is shown as what was said long ago. */
  takeEffect(sphere: Sphere, events: readonly SignedEvent[]): void {
    const apply = (changes: SphereChange[]): void => void changes.push(...this.effectsOf(sphere).apply(events, true));
    this.#change(sphere, apply, 'later');
  }

  /** Everything `work` does to the sphere and the database is kept together or not at all, and told once it is kept. */
  together<T>(sphere: Sphere, work: () => T): T {
    return this.#change(sphere, work);
  }

  /** Tells everybody, once the database has it. */
  announce(sphere: Sphere, changes: readonly SphereChange[]): void {
    if (changes.some(({ kind }) => kind === 'epochs' || kind === 'members')) sphere.readEpochs();
    this.onChange.emit({ sphere, changes });
  }

  update(sphere: Sphere, change: Partial<Omit<SphereRow, 'id'>>): void {
    this.#deps.storage.spheres.update(sphere.id, change);
    // Only coming and going concerns others: a place read to must not make us say anything to anyone.
    this.announce(sphere, change.state === undefined ? [] : [{ kind: 'members' }]);
  }

  #change<T>(sphere: Sphere, work: (changes: SphereChange[]) => T, onDisk?: OnDisk): T {
    const outer = this.#changing.get(sphere.id);
    if (outer !== undefined) return work(outer);
    const changes: SphereChange[] = [];
    this.#changing.set(sphere.id, changes);
    let result: T;
    try {
      result = this.#deps.storage.transaction(() => work(changes), onDisk);
    } catch (error) {
      sphere.reload();
      throw error;
    } finally {
      this.#changing.delete(sphere.id);
    }
    this.announce(sphere, changes);
    return result;
  }

  #load(id: SphereId): { readonly sphere: Sphere; readonly effects: Effects } {
    const { storage, author, clock, own } = this.#deps;
    const sphere = new Sphere({ id, storage, author, clock, find: (other) => this.find(other) });
    const entry = { sphere, effects: new Effects({ sphere, storage, own, clock }) };
    this.#spheres.set(id, entry);
    return entry;
  }
}
