import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, SphereId } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { withinTime } from '../base/within-time.ts';
import { NO_LIMITS } from '../contract/views.ts';
import type { InvitationRow } from '../storage/invitation-table.ts';
import type { SphereRow } from '../storage/sphere-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Affiliate, Affiliation } from '../xmpp/xep/0045-muc.ts';
import { carryOver } from './carry-over.ts';
import { continuedSphere } from './continued-sphere.ts';
import type { DeviceCertifier } from './device-certifier.ts';
import { finishLeaving } from './finish-leaving.ts';
import { folderHolder } from './folder-spheres.ts';
import { invitationLine } from './human-line.ts';
import { declining, deliveredOf, envelopeOf, logOfInvitation, secretOf } from './invitation-book.ts';
import { partnerIn } from './partner-in.ts';
import { encodeEnvelope } from './protocol/envelope.ts';
import type { SpherePolicy } from './protocol/event-body.ts';
import type { Author, SignedEvent } from './protocol/event.ts';
import { foundSphere } from './protocol/found-sphere.ts';
import { invitationEntries } from './protocol/invitation.ts';
import { generateInviteSecret, inviteKeyOf, proveInvite } from './protocol/invite-proof.ts';
import { RANK } from './protocol/member-record.ts';
import type { SphereMember } from './protocol/sphere-state.ts';
import { knownDevices } from './recipients.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { startEpoch } from './start-epoch.ts';
import type { Alone } from './tell-alone.ts';
import { tellAlone } from './tell-alone.ts';

/** What the room server may let somebody do. */
export type RoomRight = Exclude<Affiliation, 'outcast'>;

/** What members need of the room server. */
export interface RoomService {
  /** Domain of the room service; `disconnected` before the first connection. */
  readonly domain: string;
  create(room: BareJid, signal: AbortSignal): Promise<void>;
  /** Enters the room and stays in it over reconnects. Rejects with `not-a-member` when the server refuses. */
  join(room: BareJid, signal: AbortSignal): Promise<void>;
  /** Removes it for good; `next`: where everybody in it finds us. */
  destroy(room: BareJid, next: BareJid | null, signal: AbortSignal): Promise<void>;
  leave(room: BareJid): Promise<void>;
  /** Stays in the room, or comes into it whenever that is possible. */
  keepJoined(room: BareJid): void;
  /** Until it is disposed of, nothing of what comes in the room is read. */
  hold(room: BareJid): Disposable;
  readonly held: ReadonlySet<BareJid>;
  isInside(room: BareJid): boolean;
  /** Whether the server keeps us out. */
  isRefused(room: BareJid): boolean;
  /** Everybody the room lets in, as it was told when last asked. */
  listed(room: BareJid): ReadonlySet<BareJid>;
  /** Full addresses of those who are in the room at this moment. */
  present(room: BareJid): ReadonlySet<string>;
  /** Tells an account that it may come in. */
  invite(room: BareJid, jid: BareJid, keeping?: 'store' | 'no-store'): Promise<void>;
  /** Everybody the room server lets in. */
  affiliations(room: BareJid, signal: AbortSignal): Promise<readonly Affiliate[]>;
  setAffiliation(room: BareJid, jid: BareJid, affiliation: RoomRight, signal: AbortSignal): Promise<void>;
}

interface MembersDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: RoomService;
  readonly certifier: DeviceCertifier;
  readonly author: Author;
  readonly own: BareJid;
  /** Makes the sphere's folder; its absolute path. */
  readonly makeFolder: (name: string) => Promise<string>;
  /** Resolves when this event of ours has left, or when nobody could read it. */
  readonly flushed: (event: EventId, signal: AbortSignal) => Promise<void>;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Somebody who leaves sees that it works; for a room that is not well they do not wait. */
const GOODBYE_MS = 3_000;

/** What can be given: a sphere has one owner. */
export type GivenRole = Exclude<SphereMember['role'], 'owner'>;

/** Who is in a sphere: founding it, inviting, joining, leaving, removing. */
export class Members {
  readonly #deps: MembersDeps;

  constructor(deps: MembersDeps) {
    this.#deps = deps;
  }

  create(name: string, signal: AbortSignal): Promise<Sphere> {
    return this.found({ name, history: 'all' }, signal);
  }

  /**
   * `history`: what those who join later get of what was said and shared before. It stays as it is. `from`: the sphere
   * that goes on in this one, in its folder as far as that is free. `partner`: the only other account that it is for.
   */
  async found(
    { name, history, from, partner }: { name: string; from?: Sphere; partner?: BareJid } & SpherePolicy,
    signal: AbortSignal,
  ): Promise<Sphere> {
    const { rooms, list, author, own, certifier, random, clock } = this.#deps;
    // A random address: the name travels sealed.
    const room = parseBareJid(`${toHex(random(16))}@${rooms.domain}`);
    await rooms.create(room, signal);
    const vouched = await certifier.vouched(signal);
    const founding = foundSphere(
      { author, random, wallMs: clock.now() },
      { name, room, ownerJid: own, policy: { history }, ...(partner === undefined ? {} : { partner }) },
    );
    const { sphereId: id, event: genesis } = founding;
    const row = await this.#row({ id, name, room, invitedBy: null, from });
    return list.add({ ...row, state: 'joined' }, (sphere) => {
      list.take(sphere, [genesis]);
      certifier.certify(sphere, vouched);
      startEpoch(this.#deps, sphere, 'start');
      if (from === undefined) return;
      sphere.readEpochs();
      carryOver(this.#deps, from, sphere);
    });
  }

  /** `role` is the one they will have; nobody gives a right that is not below their own. */
  async inviteAs(sphereId: SphereId, jid: BareJid, role: GivenRole, signal: AbortSignal): Promise<void> {
    const { list, rooms, random, own } = this.#deps;
    const sphere = list.getJoined(sphereId);
    this.#requireAuthority(sphere);
    if (sphere.state.members.get(jid)?.state === 'joined' || jid === own) {
      throw new AppError('conflict', 'already a member', {});
    }
    this.#requireAbove(sphere, role);
    await rooms.setAffiliation(sphere.row.room, jid, 'member', signal);
    const secret = generateInviteSecret(random);
    const body = { jid, role, key: inviteKeyOf(secret) };
    list.together(sphere, () => {
      // Of an invitation that has not left yet the newer one takes the place.
      this.#dropUnsent(sphere, jid);
      const event = list.publish(sphere, 'invite', body, { audience: { kind: 'members' } });
      const entries = invitationEntries(sphere.log, event, secret);
      sphere.enqueueEnvelope(event.id, encodeEnvelope(entries), jid, {
        audience: { kind: 'account', jid },
        line: invitationLine(sphere.state.name),
      });
    });
  }

  invite(sphereId: SphereId, jid: BareJid, signal: AbortSignal): Promise<void> {
    return this.inviteAs(sphereId, jid, 'member', signal);
  }

  async join(invitationId: string, signal: AbortSignal): Promise<Sphere> {
    const { list, rooms } = this.#deps;
    const invitation = this.#openInvitation(invitationId);
    const { room, sphereId } = invitation;
    const held = rooms.hold(room);
    try {
      await rooms.join(room, signal);
      const sphere = await this.#accept(invitation, signal);
      rooms.keepJoined(room);
      return sphere;
    } catch (error) {
      // What is said in a room whose sphere is not here would be lost.
      if (list.find(sphereId)?.wantsRoom === true) rooms.keepJoined(room);
      else await rooms.leave(room);
      throw error;
    } finally {
      held[Symbol.dispose]();
    }
  }

  /** Keeps the answer and queues it for whoever invited. */
  decline(invitationId: string): void {
    const { storage, random, clock } = this.#deps;
    const nowMs = clock.now();
    const { event, audience } = declining(this.#openInvitation(invitationId), { random, nowMs });
    storage.transaction(() => {
      storage.invitations.update(invitationId, { state: 'declined' });
      const to = { sphereId: null, to: audience.jid, audience, line: null };
      const entry = { eventId: event.id, envelope: envelopeOf(event), state: 'queued' as const, attempts: 0 };
      storage.outbox.add({ ...to, ...entry, atMs: nowMs });
    });
    this.#deps.queued();
  }

  /** Ends it on this device at once; the others hear of it as soon as they can be told. */
  async leave(sphereId: SphereId, signal: AbortSignal): Promise<void> {
    const { list, rooms, storage } = this.#deps;
    const sphere = list.getJoined(sphereId);
    const left = list.together(sphere, () => {
      storage.spheres.update(sphere.id, { state: 'left' });
      return this.#sayGoodbye(sphere);
    });
    list.announce(sphere, [{ kind: 'members' }]);
    if (left !== undefined && rooms.isInside(sphere.row.room)) await this.#waitShortly(left, signal);
    await finishLeaving(this.#deps, sphere);
  }

  /** Takes a sphere that has ended for us off the list. Everything of it stays, for a new invitation brings it back. */
  forget(sphereId: SphereId): void {
    const { list } = this.#deps;
    const sphere = list.get(sphereId);
    const { state } = sphere.row;
    if (state !== 'left' && state !== 'removed') throw new AppError('conflict', 'still a member', { state });
    list.update(sphere, { hidden: true });
  }

  async remove(sphereId: SphereId, jid: BareJid, signal: AbortSignal): Promise<void> {
    const { list, rooms, own, log } = this.#deps;
    const sphere = list.getJoined(sphereId);
    this.#requireAuthority(sphere);
    if (jid === own || jid === sphere.ownJid(own))
      throw new AppError('not-allowed', 'one leaves a sphere, one is not removed by oneself');
    const { room } = sphere.row;
    const member = sphere.state.members.get(jid);
    if (member === undefined && rooms.listed(room).has(jid)) {
      await rooms.setAffiliation(room, jid, 'none', signal);
      return;
    }
    if (member === undefined || (member.state !== 'joined' && member.state !== 'invited' && !hasDeclined(member))) {
      throw new AppError('not-found', 'no such member');
    }
    const devices = knownDevices(sphere.state, jid);
    const body = {
      jid,
      person: member.person,
      lastAccepted: member.person === null ? [] : sphere.log.lastAccepted(member.person),
    };
    list.together(sphere, () => {
      const isAsked = member.state === 'invited' && !this.#dropUnsent(sphere, jid);
      const removal = list.publish(sphere, 'remove', body, { audience: { kind: 'members' } }) as SignedEvent;
      // Whoever has not come yet has shown us no device.
      const whom: Alone = isAsked ? { kind: 'account', jid } : { kind: 'known', jid, devices };
      tellAlone(sphere, removal, whom);
      startEpoch(this.#deps, sphere, 'removal');
    });
    try {
      await rooms.setAffiliation(room, jid, 'none', signal);
    } catch (error) {
      signal.throwIfAborted();
      // Removed is removed: nothing more is written for them, and the owner's device tidies the room.
      log.info('room not told of the removal yet', { error });
    }
  }

  /** Gives a member other rights. What they did before knowing of it is judged by those they had. */
  setRole(sphereId: SphereId, jid: BareJid, role: GivenRole): void {
    const { list, own } = this.#deps;
    const sphere = list.getJoined(sphereId);
    const member = sphere.state.members.get(jid);
    if (member === undefined || (member.state !== 'joined' && member.state !== 'invited')) {
      throw new AppError('not-found', 'no such member');
    }
    if (jid === sphere.ownJid(own)) throw new AppError('not-allowed', 'nobody gives rights to themselves');
    this.#requireAbove(sphere, member.role);
    this.#requireAbove(sphere, role);
    if (member.role === role) return;
    const lastAccepted = member.person === null ? [] : sphere.log.lastAccepted(member.person);
    list.publish(sphere, 'role', { jid, role, lastAccepted }, { audience: { kind: 'members' } });
  }

  rename(sphereId: SphereId, name: string): void {
    const { list } = this.#deps;
    const sphere = list.getJoined(sphereId);
    this.#requireAuthority(sphere);
    if (name !== sphere.state.name) list.publish(sphere, 'rename', { name }, { audience: { kind: 'members' } });
  }

  /** undefined where nothing is said in the log. */
  #sayGoodbye(sphere: Sphere): SignedEvent | undefined {
    const { role } = sphere;
    // The owner cannot hand over yet: the sphere goes on for the others, with its keys as they are.
    if (role === undefined || role === 'owner') return undefined;
    // Our other computers are no member's any more then, and are told by themselves.
    const others = this.#ourOthers(sphere);
    const leave = this.#deps.list.publish(sphere, 'leave', {}, { audience: { kind: 'members' } }) as SignedEvent;
    tellAlone(sphere, leave, others);
    return leave;
  }

  /** A room that is well has it in a moment; any other one hears of it later. */
  async #waitShortly(left: SignedEvent, signal: AbortSignal): Promise<void> {
    const { flushed, clock, log } = this.#deps;
    try {
      await withinTime({ clock, ms: GOODBYE_MS }, signal, (limited) => flushed(left.id, limited));
    } catch (error) {
      log.info('the room has not heard yet that we leave', { error });
    }
  }

  #ourOthers(sphere: Sphere): Alone {
    const { own } = this.#deps;
    return { kind: 'known', jid: own, devices: knownDevices(sphere.state, own, sphere.device) };
  }

  /** Takes invitations of an account out of the outbox. Whether it has got none at all: one under way may have arrived. */
  #dropUnsent(sphere: Sphere, jid: BareJid): boolean {
    const { outbox } = this.#deps.storage;
    const invites = sphere.log.events().filter((event) => event.type === 'invite' && event.body.jid === jid);
    const unsent = invites.map(({ id }) => outbox.byEvent(id).filter(({ to }) => to === jid));
    for (const { id } of unsent.flat()) outbox.remove(id);
    return unsent.every((rows) => rows.length > 0 && rows.every(({ attempts }) => attempts === 0));
  }

  async #accept(invitation: InvitationRow, signal: AbortSignal): Promise<Sphere> {
    const { storage, list, author, certifier } = this.#deps;
    const vouched = await certifier.vouched(signal);
    const { invite, secret } = secretOf(invitation);
    const known = list.find(invitation.sphereId)?.row;
    const { sphereId, name, room, from: invitedBy } = invitation;
    const from = continuedSphere(list, logOfInvitation(invitation));
    const row = await this.#row({ id: sphereId, name, room, invitedBy, from });
    // A sphere once left keeps its folder, its place and what was read of it.
    const joined = known === undefined ? row : { ...known, room, archiveCursor: null, hidden: false };
    return list.add({ ...joined, state: 'joined' }, (sphere) => {
      const events = deliveredOf(invitation).map(({ event }) => event);
      list.take(sphere, events);
      certifier.certify(sphere, vouched);
      const answer = { invite: invite.id, person: author.person, device: author.device.id };
      const body = { invite: invite.id, proof: proveInvite('join', secret, answer) };
      const join = list.publish(sphere, 'join', body, { audience: { kind: 'members' } });
      // Where we had left by our other computers too: no room tells them.
      tellAlone(sphere, join as SignedEvent, this.#ourOthers(sphere));
      // Whoever invites to a sphere of two has something to share: that is news, though it was said before.
      const isOfTwo = partnerIn(sphere.state, this.#deps.own) !== null;
      storage.spheres.update(sphere.id, { joinedLamport: (isOfTwo ? invite : join).header.lamport });
      storage.invitations.update(invitation.id, { state: 'accepted' });
    });
  }

  #openInvitation(id: string) {
    const invitation = this.#deps.storage.invitations.get(id);
    if (invitation === undefined || invitation.state !== 'open') {
      throw new AppError('not-found', 'no such open invitation', {});
    }
    return invitation;
  }

  /** Of a sphere that goes on in another, unless it has gone on in a third already: what is there stays where it is. */
  #folderOf(from: Sphere | undefined): string | undefined {
    if (from === undefined) return undefined;
    const { folder } = from.row;
    const holder = folderHolder(this.#deps.list.all(), from);
    return holder === undefined || holder === from ? folder : undefined;
  }

  /** `from`: as for `found`; its speed limits are those that the person meant. */
  async #row(input: Pick<SphereRow, 'id' | 'name' | 'room' | 'invitedBy'> & { from: Sphere | undefined }) {
    const { makeFolder, clock, storage } = this.#deps;
    const { id, name, room, invitedBy, from } = input;
    const nowMs = clock.now();
    const known = storage.spheres.get(id);
    const folder = known?.folder ?? this.#folderOf(from) ?? (await makeFolder(name));
    const position = known?.position ?? storage.spheres.list().length;
    const places = { archiveCursor: null, joinedLamport: 0, position, hidden: false };
    const limits = from?.row.limits ?? NO_LIMITS;
    return { id, name, room, folder, state: 'joining' as const, invitedBy, createdAtMs: nowMs, limits, ...places };
  }

  #hasAuthority({ role }: Sphere): boolean {
    return role === 'owner' || role === 'admin';
  }

  /** Nobody acts on somebody of their own rank or above, and nobody makes others their equals. */
  #requireAbove(sphere: Sphere, role: SphereMember['role']): void {
    const own = sphere.role;
    if (own === undefined || RANK[own] < RANK.admin || RANK[own] <= RANK[role]) {
      throw new AppError('not-allowed', 'one’s own rights do not reach so far');
    }
  }

  #requireAuthority(sphere: Sphere): void {
    if (!this.#hasAuthority(sphere)) throw new AppError('not-allowed', 'only owner and admins decide who is in');
  }
}

/** Whoever was asked and said no has never been anybody here. */
export function hasDeclined({ state, person }: SphereMember): boolean {
  return state === 'left' && person === null;
}
