import type { BareJid, DeviceKey, EventId, ItemId, PersonId, SphereId } from '../../base/id.ts';
import type { EventBodies, SpherePolicy, SphereRole } from './event-body.ts';
import type { KnownEvent } from './event.ts';
import type { MemberState, OwnershipType } from './member-record.ts';
import type { HoldReason, RefusalReason } from './verdict.ts';

export interface SphereMember {
  readonly jid: BareJid;
  /** null until the invited person has joined. */
  readonly person: PersonId | null;
  readonly role: SphereRole;
  readonly state: MemberState;
  /** The event that they last came in by; null until they have. */
  readonly began: EventId | null;
}

/** A certified device of a joined member. */
export interface SphereDevice {
  readonly device: DeviceKey;
  readonly person: PersonId;
  /** The event that certifies it. */
  readonly certificate: EventId;
  readonly jid: BareJid | null;
  readonly omemoDeviceId: number | null;
  /** 33 bytes in hex, 0x05 first. */
  readonly omemoIdentityKey: string | null;
  /** Ordinary OMEMO devices of the same account that may get human lines. */
  readonly vouched: EventBodies['device']['vouched'];
}

export interface SphereEpoch {
  readonly id: EventId;
  readonly number: number;
  readonly commitment: string;
  readonly reason: EventBodies['epoch']['reason'];
}

/** Who did it: the account is the one the person was a member with. */
export interface Contribution<T extends 'item' | 'torrent' | 'message'> {
  readonly event: KnownEvent<T>;
  readonly jid: BareJid;
}

export interface SphereItem extends Contribution<'item' | 'torrent'> {
  readonly id: ItemId;
  readonly replacedBy: ItemId | null;
  /** Its author did not know that somebody had gone, or its epoch is not in force: to be shared again under a new key. */
  readonly needsNewKey: boolean;
}

export interface SphereMessage extends Contribution<'message'> {
  readonly id: EventId;
}

/** What people see, in canonical order. */
export type TimelineEntry =
  | ({ readonly kind: 'item' } & SphereItem)
  | ({ readonly kind: 'message' } & SphereMessage)
  | {
      readonly kind: 'membership';
      readonly id: EventId;
      readonly event: KnownEvent<
        | 'genesis'
        | 'invite'
        | 'join'
        | 'decline'
        | 'leave'
        | 'remove'
        | 'role'
        | 'moved'
        | 'rename'
        | 'picture'
        | 'room'
        | OwnershipType
      >;
    };

export interface Head {
  readonly sequence: number;
  readonly hash: EventId;
}

export type Heads = ReadonlyMap<DeviceKey, Head>;

/** What the events of a sphere amount to; equal for everybody who has the same events. */
export interface SphereState {
  readonly sphereId: SphereId;
  /** null while the genesis event is missing. */
  readonly genesis: {
    readonly room: BareJid;
    readonly policy: SpherePolicy;
    readonly owner: PersonId;
    /** The two accounts that it was founded for, and when by the founder's clock; null for all but spheres of two. */
    readonly pair: { readonly founder: BareJid; readonly partner: BareJid; readonly wallMs: number } | null;
  } | null;
  readonly name: string;
  readonly members: ReadonlyMap<BareJid, SphereMember>;
  readonly devices: ReadonlyMap<DeviceKey, SphereDevice>;
  /** Devices that count no more, and whose they were. */
  readonly endedDevices: ReadonlyMap<DeviceKey, PersonId>;
  /** The account each person last joined with, or moved to, former members included. */
  readonly accounts: ReadonlyMap<PersonId, BareJid>;
  /** Addresses that members had before, and the ones they have now. */
  readonly moved: ReadonlyMap<BareJid, BareJid>;
  /** In canonical order. */
  readonly epochs: readonly SphereEpoch[];
  readonly currentEpoch: SphereEpoch | null;
  /** There is no epoch yet, or somebody has gone of whom the current one does not know: an owner or admin starts a new one. */
  readonly isEpochDue: boolean;
  readonly items: ReadonlyMap<ItemId, SphereItem>;
  readonly timeline: readonly TimelineEntry[];
  readonly refused: ReadonlyMap<EventId, RefusalReason>;
  readonly held: ReadonlyMap<EventId, HoldReason>;
  /** Sequence numbers that a device used twice. */
  readonly forks: ReadonlyMap<DeviceKey, readonly number[]>;
  /** What a new event refers to as the newest membership event seen. */
  readonly newestMembership: EventId | null;
  readonly nextLamport: number;
  readonly heads: Heads;
}
