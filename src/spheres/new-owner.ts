import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, PersonId, SphereId } from '../base/id.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { Vote } from './protocol/ownership.ts';
import { SUCCESSION_MS } from './protocol/ownership.ts';
import type { SphereMember } from './protocol/sphere-state.ts';
import { knownDevices } from './recipients.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { tellAlone } from './tell-alone.ts';

interface NewOwnerDeps {
  readonly list: SphereList;
  readonly clock: Clock;
}

/** What admins want to be done about an owner who is gone. */
export interface Candidacy {
  readonly jid: BareJid;
  readonly votes: readonly EventId[];
  readonly voters: readonly BareJid[];
  /** How many admins must say so. */
  readonly needed: number;
  /** When it comes into force unless the owner objects; null while too few have said so. */
  readonly atMs: number | null;
}

const MEMBERS = { audience: { kind: 'members' } } as const;

/** How a sphere gets another owner: handed over, or by the organisers when its owner is gone for good. */
export class NewOwner {
  readonly #deps: NewOwnerDeps;

  constructor(deps: NewOwnerDeps) {
    this.#deps = deps;
  }

  /** Offers the sphere to a member; null takes the offer back. */
  offer(sphereId: SphereId, jid: BareJid | null): void {
    const sphere = this.#deps.list.getJoined(sphereId);
    this.#require(sphere, 'owner');
    const person = jid === null ? null : personOf(sphere, jid);
    if (person === sphere.person) throw new AppError('conflict', 'it is ours already');
    this.#deps.list.publish(sphere, 'handover', { person }, MEMBERS);
  }

  /** Takes a sphere that is offered to us. Fails with `not-found` when it is not. */
  accept(sphereId: SphereId): void {
    const sphere = this.#deps.list.getJoined(sphereId);
    const { offer } = sphere.log.ownership;
    if (offer === null || offer.to !== sphere.person) throw new AppError('not-found', 'nobody offers it to us');
    const body = { handover: offer.id as string, lastAccepted: sphere.log.lastAccepted(offer.from) };
    this.#deps.list.publish(sphere, 'accept', body, MEMBERS);
  }

  /** Says that an admin should have the sphere, because its owner is gone. */
  propose(sphereId: SphereId, jid: BareJid): void {
    const sphere = this.#deps.list.getJoined(sphereId);
    this.#require(sphere, 'admin');
    if (sphere.state.members.get(jid)?.role !== 'admin') throw new AppError('not-allowed', 'only an admin can follow');
    const person = personOf(sphere, jid);
    const isSaid = votesOf(sphere).some(({ by, to }) => by === sphere.person && to === person);
    if (!isSaid) this.#deps.list.publish(sphere, 'succession', { person }, MEMBERS);
  }

  /** The owner, who is not gone, keeps the sphere, or has it back when it was taken meanwhile. */
  object(sphereId: SphereId): void {
    const { list } = this.#deps;
    const sphere = list.get(sphereId);
    const isTaken = mayObject(sphere);
    if (!isTaken) this.#require(list.getJoined(sphereId), 'owner');
    const votes = sphere.log.ownership.votes(sphere.person).map(({ id }) => id as string);
    if (votes.length === 0) throw new AppError('not-found', 'nobody wants another owner');
    const isOut = sphere.row.state === 'removed';
    const others = [...sphere.state.members.values()].flatMap(({ jid, state }) => (state === 'joined' ? [jid] : []));
    list.together(sphere, () => {
      const event = list.publish(sphere, 'object', { votes: votes.slice(-50) }, MEMBERS);
      if (!isOut) return;
      // Removed by the new owner: the room carries nothing of ours, to our other computers neither.
      const own = sphere.jidOf(sphere.person) ?? [];
      for (const jid of others.concat(own)) {
        const devices = knownDevices(sphere.state, jid, sphere.device);
        tellAlone(sphere, event as SignedEvent, { kind: 'known', jid, devices });
      }
    });
  }

  /** Takes the sphere when enough admins named us and the owner did not object in time. */
  settle(sphere: Sphere): void {
    const { list, clock } = this.#deps;
    const owner = ownerOf(sphere)?.person ?? null;
    const ours = candidacies(sphere).find(({ jid }) => sphere.jidOf(sphere.person) === jid);
    if (sphere.row.state !== 'joined' || sphere.role !== 'admin' || owner === null) return;
    if (ours === undefined || ours.atMs === null || ours.atMs > clock.now()) return;
    const lastAccepted = sphere.log.lastAccepted(owner);
    list.publish(sphere, 'succeed', { votes: ours.votes.slice(0, 50).map(String), lastAccepted }, MEMBERS);
  }

  #require(sphere: Sphere, role: SphereMember['role']): void {
    if (sphere.role !== role) throw new AppError('not-allowed', 'this is for others to say', { role });
  }
}

/** Whether it was taken from us because we seemed to be gone. */
export function mayObject({ row, role, log, person }: Sphere): boolean {
  return row.state !== 'left' && role !== 'owner' && log.ownership.isTakenFrom(person);
}

/** Who is to follow the owner, as far as the owner did not object. */
export function candidacies(sphere: Sphere): Candidacy[] {
  const members = [...sphere.state.members.values()].filter(({ state }) => state === 'joined');
  const admins = members.filter(({ role }) => role === 'admin');
  const needed = Math.floor(admins.length / 2) + 1;
  return admins.flatMap(({ jid, person }) => {
    const votes = firstOfEach(
      votesOf(sphere).filter(({ to, by }) => to === person && admins.some((one) => one.person === by)),
    );
    if (votes.length === 0) return [];
    // With more than enough the earliest ones count.
    const counted = votes.slice(0, needed);
    const atMs = counted.length < needed ? null : Math.max(...counted.map((vote) => vote.atMs)) + SUCCESSION_MS;
    const voters = votes.flatMap(({ by }) => sphere.jidOf(by) ?? []);
    return [{ jid, votes: counted.map(({ id }) => id), voters, needed, atMs }];
  });
}

function firstOfEach(votes: readonly Vote[]): Vote[] {
  const sorted = votes.toSorted((a, b) => a.atMs - b.atMs);
  return sorted.filter(({ by }, index) => sorted.findIndex((vote) => vote.by === by) === index);
}

function votesOf(sphere: Sphere): readonly Vote[] {
  return sphere.log.ownership.votes(ownerOf(sphere)?.person ?? null);
}

function ownerOf({ state }: Sphere): SphereMember | undefined {
  return [...state.members.values()].find(({ role }) => role === 'owner');
}

function personOf({ state }: Sphere, jid: BareJid): PersonId {
  const member = state.members.get(jid);
  if (member?.state !== 'joined' || member.person === null) throw new AppError('not-found', 'no such member');
  return member.person;
}
