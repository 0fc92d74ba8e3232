import type { BareJid, PersonId } from '../base/id.ts';
import type { CandidateView, InvitationView, MemberView, SphereView } from '../contract/views.ts';
import type { Contacts } from '../people/contacts.ts';
import { mayContinue } from '../spheres/continuation.ts';
import { historyFor } from '../spheres/history.ts';
import { hasDeclined } from '../spheres/members.ts';
import { movedByFormer } from '../spheres/moved-by-former.ts';
import type { Candidacy } from '../spheres/new-owner.ts';
import { candidacies, mayObject } from '../spheres/new-owner.ts';
import type { DeviceDirectory } from '../spheres/device-directory.ts';
import type { FolderMove } from '../spheres/folder-move.ts';
import type { FolderWatch } from '../spheres/folder-watch.ts';
import type { SphereMember } from '../spheres/protocol/sphere-state.ts';
import { partnerIn } from '../spheres/partner-in.ts';
import type { SpheresOfTwo } from '../spheres/spheres-of-two.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { InvitationRow } from '../storage/invitation-table.ts';
import type { Withheld } from '../spheres/withheld.ts';
import type { Storage } from '../storage/storage.ts';
import { hasPreview } from './item-view.ts';
import type { PeopleNames } from './people-names.ts';

interface SphereViewDeps {
  readonly storage: Storage;
  readonly rooms: Rooms;
  readonly directory: Pick<DeviceDirectory, 'trouble'>;
  readonly own: BareJid;
  readonly folderWatch: Pick<FolderWatch, 'isOn'>;
  readonly names: Pick<PeopleNames, 'of'>;
  readonly folderMove: Pick<FolderMove, 'progress'>;
  readonly logs: { readonly withheld: Pick<Withheld, 'found'> };
}

const NOBODY = '' as PersonId;

export function viewSphere(deps: SphereViewDeps, sphere: Sphere): SphereView {
  const { storage, own } = deps;
  const { row, state } = sphere;
  const [latest] = storage.messages.newest(sphere.id, 1);
  return {
    id: sphere.id,
    name: nameOf(deps, sphere),
    room: row.room,
    folder: row.folder,
    watchesFolder: deps.folderWatch.isOn(sphere),
    folderMove: deps.folderMove.progress(sphere.id),
    limits: row.limits,
    history: state.genesis?.policy.history ?? 'all',
    myRole: sphere.placeOf(own)?.role ?? 'member',
    state: viewState(deps, sphere),
    members: viewMembers(deps, sphere),
    partner: partnerIn(state, sphere.ownJid(own)),
    offeredTo: sphere.jidOf(sphere.log.ownership.offer?.to ?? NOBODY) ?? null,
    candidates: candidacies(sphere).map((one) => viewCandidate(deps, one)),
    mayObject: mayObject(sphere),
    mayContinue: mayContinue(sphere),
    continued: viewContinued(deps, sphere),
    movedBy: viewMover(deps, sphere),
    withheld: viewWithheld(deps, sphere),
    itemCount: Math.max(0, countItems(sphere) - storage.items.countOffList(sphere.id)),
    unread: storage.messages.countUnread(row, own),
    lastActivityMs: Math.max(row.createdAtMs, latest?.atMs ?? 0),
    coverUrl: coverOf(storage, sphere),
    pictureUrl: pictureOf(storage, sphere),
  };
}

/** What is shared with one person alone goes by their name. */
function nameOf({ names, own }: SphereViewDeps, sphere: Sphere): string {
  const { row, state } = sphere;
  const partner = partnerIn(state, sphere.ownJid(own));
  if (partner === null) return state.name === '' ? row.name : state.name;
  return names.of(partner);
}

/** The one of them that we are in, if there is one. */
function viewContinued({ storage, names }: SphereViewDeps, sphere: Sphere): SphereView['continued'] {
  const said = [...sphere.log.continuation.continued];
  const known = said.find(([id]) => storage.spheres.get(id) !== undefined);
  const [id, event] = known ?? said[0] ?? [];
  if (id === undefined || event === undefined) return null;
  const by = sphere.jidOf(event.header.person);
  return { sphereId: known === undefined ? null : id, by: by === undefined ? '' : names.of(by) };
}

function viewMover({ names, own }: SphereViewDeps, sphere: Sphere): SphereView['movedBy'] {
  const mover = movedByFormer(sphere, own);
  return mover === null ? null : { name: names.of(mover.jid), server: mover.server };
}

function viewWithheld({ logs, names }: SphereViewDeps, sphere: Sphere): SphereView['withheld'] {
  const found = logs.withheld.found(sphere);
  return found === null ? null : { count: found.count, people: found.by.map((jid) => names.of(jid)) };
}

function viewCandidate({ names }: SphereViewDeps, { jid, voters, needed, atMs }: Candidacy): CandidateView {
  return { jid, name: names.of(jid), voters: voters.map((voter) => names.of(voter)), needed, atMs };
}

function viewState({ rooms }: SphereViewDeps, sphere: Sphere): SphereView['state'] {
  const { state, room } = sphere.row;
  if (state === 'left' || state === 'removed') return state;
  if (rooms.isRefused(room)) return 'refused';
  // Until the key of the sphere has come there is nothing one could share or read.
  if (sphere.epochs.length === 0) return 'joining';
  return rooms.isInside(room) ? 'joined' : 'offline';
}

/** Those that are ours to open. */
function countItems(sphere: Sphere): number {
  const { genesis, items } = sphere.state;
  const current = [...items.values()].filter(({ replacedBy }) => replacedBy === null);
  if (genesis?.policy.history !== 'from-join') return current.length;
  const history = historyFor(sphere, sphere.person);
  return current.filter(({ event }) => history.isOpen(event)).length;
}

function coverOf(storage: Storage, sphere: Sphere): string | null {
  const pictured = [...sphere.state.items.values()].findLast(({ event }) => hasPreview(storage, event));
  return pictured === undefined ? null : `/preview/${pictured.id}`;
}

/** null as long as it has not come. */
function pictureOf(storage: Storage, { log: { picture } }: Sphere): string | null {
  return picture !== null && storage.attachments.has(picture.id, 'picture') ? `/preview/sphere-${picture.id}` : null;
}

export function viewMembers(deps: SphereViewDeps, sphere: Sphere): MemberView[] {
  const { room } = sphere.row;
  const { members } = sphere.state;
  const present = new Set([...deps.rooms.present(room)].map((full) => full.split('/', 1)[0]));
  const known = [...members.values()].flatMap((member) => {
    if (member.state !== 'joined' && member.state !== 'invited' && !hasDeclined(member)) return [];
    return [viewMember(deps, sphere, member, present.has(member.jid))];
  });
  // Without the log there is nobody to compare with.
  const listed = sphere.state.genesis === null ? [] : [...deps.rooms.listed(room)];
  const unknown = listed.filter((jid) => !members.has(jid));
  return [...known, ...unknown.map((jid) => viewWaiting(deps, jid, present.has(jid)))];
}

/** Whom only the server lets in: gets nothing of what is sealed. */
function viewWaiting({ names }: SphereViewDeps, jid: BareJid, online: boolean): MemberView {
  const nobody = { person: null, role: 'member', devices: 0, isMe: false, trouble: null, isForked: false } as const;
  const identity = 'unverified' as const;
  return { jid, name: names.of(jid), state: 'waiting', online, ...nobody, identity, introducedBy: [] };
}

function viewMember(deps: SphereViewDeps, sphere: Sphere, member: SphereMember, online: boolean): MemberView {
  const devices = [...sphere.state.devices.values()].filter((device) => device.person === member.person);
  const identity = identityOf(deps.storage, member);
  const introducedBy = introducers(deps, sphere, member);
  return {
    jid: member.jid,
    person: member.person,
    name: deps.names.of(member.jid),
    role: member.role,
    devices: member.person === null ? 0 : devices.length,
    state: hasDeclined(member) ? 'declined' : member.state === 'joined' ? 'joined' : 'invited',
    online,
    isMe: member.jid === sphere.ownJid(deps.own),
    identity: identity === 'unverified' && introducedBy.length > 0 ? 'introduced' : identity,
    introducedBy,
    isForked: devices.some(({ device }) => sphere.state.forks.has(device)),
    trouble: member.state === 'invited' ? deps.directory.trouble(member.jid) : null,
  };
}

/** Members whose number we compared, and who say the same of this one. */
function introducers({ storage, names }: SphereViewDeps, sphere: Sphere, { person, state }: SphereMember): string[] {
  const { verified } = storage;
  if (person === null || state !== 'joined') return [];
  return [...sphere.state.members.values()].flatMap((other) => {
    const isKnown = other.person !== null && other.person !== person && other.state === 'joined';
    if (!isKnown || other.person === null || !verified.has(other.person)) return [];
    return sphere.log.introduced.get(other.person)?.has(person) === true ? [names.of(other.jid)] : [];
  });
}

/** What we know of the person behind an account. */
export function identityOf({ verified }: Storage, { jid, person, state }: SphereMember): MemberView['identity'] {
  if (person === null || state !== 'joined') return 'unverified';
  if (verified.has(person)) return 'verified';
  return verified.hasAccount(jid) ? 'changed' : 'unverified';
}

interface InvitationViewDeps {
  readonly people: { readonly contacts: Pick<Contacts, 'isStranger'> };
  readonly ofTwo: Pick<SpheresOfTwo, 'partnerOf'>;
}

export function viewInvitation({ people, ofTwo }: InvitationViewDeps, row: InvitationRow): InvitationView {
  const { id, sphereId, name: sphere, from, atMs } = row;
  const isOfTwo = ofTwo.partnerOf(row) === from;
  return { id, sphereId, sphere, from, fromStranger: people.contacts.isStranger(from), ofTwo: isOfTwo, atMs };
}
