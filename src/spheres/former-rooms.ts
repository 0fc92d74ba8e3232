import * as z from 'zod';
import type { BareJid, DeviceKey, SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

const SETTING = 'former-rooms';

const moved = z.object({
  /** Rooms that the sphere was in before and that this device has not given up yet: how far their archives were read. */
  rooms: z.record(z.string(), z.object({ cursor: z.string().nullable(), sinceMs: z.number() })),
  /** When this device followed last. */
  movedAtMs: z.number(),
  /** Devices that were heard in the room of now, and when the last one was. */
  heard: z.array(z.string()),
  heardAtMs: z.number(),
  /** Devices that were told of it alone, and when last. */
  told: z.record(z.string(), z.number()),
});

const allMoved = z.record(z.string(), moved);

export interface Moved {
  readonly rooms: Readonly<Record<BareJid, { readonly cursor: string | null; readonly sinceMs: number }>>;
  readonly movedAtMs: number;
  readonly heard: readonly DeviceKey[];
  readonly heardAtMs: number;
  readonly told: Readonly<Record<DeviceKey, number>>;
}

/** What this device keeps of the rooms that its spheres have left for other ones. */
export class FormerRooms {
  readonly #storage: Pick<Storage, 'settings' | 'transaction'>;

  constructor(storage: Pick<Storage, 'settings' | 'transaction'>) {
    this.#storage = storage;
  }

  of(sphereId: SphereId): Moved | undefined {
    return this.#all()[sphereId];
  }

  /** Rooms that are still read, newest last. */
  roomsOf(sphereId: SphereId): BareJid[] {
    return Object.keys(this.of(sphereId)?.rooms ?? {}) as BareJid[];
  }

  /** The sphere that was in this room before. */
  sphereOf(room: BareJid): SphereId | undefined {
    const found = Object.entries(this.#all()).find(([, { rooms }]) => Object.hasOwn(rooms, room));
    return found?.[0] as SphereId | undefined;
  }

  cursor(room: BareJid): string | null {
    const sphereId = this.sphereOf(room);
    return (sphereId === undefined ? undefined : this.of(sphereId)?.rooms[room]?.cursor) ?? null;
  }

  /** It is on the disk later, after what was read. */
  noteCursor(room: BareJid, cursor: string): void {
    const sphereId = this.sphereOf(room);
    const known = sphereId === undefined ? undefined : this.of(sphereId);
    if (sphereId === undefined || known?.rooms[room] === undefined) return;
    const rooms = { ...known.rooms, [room]: { ...known.rooms[room], cursor } };
    this.#storage.transaction(() => this.#put(sphereId, { ...known, rooms }), 'later');
  }

  /** The sphere goes from one room to another. How far the archive of that one was read, should it come back to it. */
  exchange(
    sphereId: SphereId,
    from: { room: BareJid; cursor: string | null },
    to: BareJid,
    nowMs: number,
  ): string | null {
    const { rooms = {} } = this.of(sphereId) ?? {};
    const { [to]: back, ...others } = rooms;
    const left = { [from.room]: { cursor: from.cursor, sinceMs: nowMs } };
    this.#put(sphereId, { rooms: { ...others, ...left }, movedAtMs: nowMs, heardAtMs: 0, heard: [], told: {} });
    return back?.cursor ?? null;
  }

  noteHeard(sphereId: SphereId, device: DeviceKey, nowMs: number): void {
    const known = this.of(sphereId);
    if (known === undefined || known.heard.includes(device)) return;
    this.#put(sphereId, { ...known, heardAtMs: nowMs, heard: [...known.heard, device] });
  }

  noteTold(sphereId: SphereId, devices: readonly DeviceKey[], nowMs: number): void {
    const known = this.of(sphereId);
    if (known === undefined) return;
    const now = Object.fromEntries(devices.map((device) => [device, nowMs]));
    this.#put(sphereId, { ...known, told: { ...known.told, ...now } });
  }

  forget(sphereId: SphereId, room: BareJid): void {
    const known = this.of(sphereId);
    if (known === undefined) return;
    const { [room]: _gone, ...rooms } = known.rooms;
    this.#put(sphereId, { ...known, rooms });
  }

  /** Nobody is to be told of it any more. */
  end(sphereId: SphereId): void {
    if (this.of(sphereId) !== undefined) this.#put(sphereId, undefined);
  }

  #all(): Readonly<Record<SphereId, Moved>> {
    return (
      this.#storage.settings.get(SETTING, (value) => allMoved.parse(value) as unknown as Record<SphereId, Moved>) ?? {}
    );
  }

  #put(sphereId: SphereId, change: Moved | undefined): void {
    const { [sphereId]: _known, ...rest } = this.#all();
    this.#storage.settings.set(SETTING, change === undefined ? rest : { ...rest, [sphereId]: change });
  }
}
