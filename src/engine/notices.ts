import type { Clock } from '../base/clock.ts';
import type { BareJid, ItemId, PersonId } from '../base/id.ts';
import type { ItemState } from '../contract/views.ts';
import type { AccountSession } from './account-session.ts';
import { parseAudience } from '../spheres/audience.ts';
import { personOfDevice } from '../spheres/person-of-device.ts';
import { followAttempts } from './follow-attempts.ts';
import { followMemberDevices } from './follow-member-devices.ts';
import { viewItem } from './item-view.ts';
import type { SphereMember } from '../spheres/protocol/sphere-state.ts';
import type { Sphere } from '../spheres/sphere.ts';
import { hasSameBytes, versionsOf } from '../spheres/versions.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { OwnDeviceRow } from '../storage/own-device-table.ts';
import { identityOf } from './sphere-view.ts';
import type { Notice } from './notice.ts';
import { senderOf } from './sender-of.ts';

/** States worth a sentence when an item comes into them. */
const TOLD: Partial<Record<ItemState, string>> = {
  complete: 'item-complete',
  'disk-full': 'disk-full',
  changed: 'file-changed',
};

/** Tells the person what happened without their doing; the returned function ends it. */
export function followNotices(session: AccountSession, tell: (notice: Notice) => void, clock: Clock): () => void {
  const { storage, list, names } = session;
  const forks = new Set(
    list
      .all()
      .flatMap(forksIn)
      .flatMap(({ keys }) => keys),
  );
  const strangers = new Set(
    list
      .all()
      .flatMap((sphere) => changedPeople(session, sphere))
      .map(({ person }) => person),
  );
  const spheres = new Map(list.all().map((sphere) => [sphere.id, sphere.row.state]));
  const stops = [
    followItems(session, tell),
    session.onInvitation.on((id) => {
      const invitation = storage.invitations.get(id);
      if (invitation?.state !== 'open' || session.ofTwo.isTaken(invitation)) return;
      // Strangers disturb nobody.
      if (session.people.contacts.isStranger(invitation.from)) return;
      tell({ code: 'invited', params: { person: names.of(invitation.from), sphere: invitation.name } });
    }),
    followMoved(session, tell),
    followVersions(session, tell),
    followFailures(session, tell),
    followMentions(session, tell),
    followDevices(session, tell),
    followMemberDevices(session, tell, clock),
    followAttempts(session, tell, clock),
    list.onChange.on(({ sphere }) => {
      const { state } = sphere.row;
      const before = spheres.get(sphere.id);
      spheres.set(sphere.id, state);
      for (const fork of forksIn(sphere)) {
        if (!fork.keys.some((key) => forks.has(key))) tell(forkNotice(session, sphere, fork));
        for (const key of fork.keys) forks.add(key);
      }
      for (const { jid, person } of changedPeople(session, sphere)) {
        const params = { person: names.of(jid), sphere: sphere.state.name };
        if (!strangers.has(person)) tell({ code: 'identity-changed', params });
        strangers.add(person);
      }
      if (state === 'removed' && before === 'joined') tell({ code: 'removed', params: { sphere: sphere.state.name } });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** What becomes of items on this computer. */
function followItems(session: AccountSession, tell: (notice: Notice) => void): () => void {
  const { storage, items, list, source, names } = session;
  const states = new Map<ItemId, ItemState>(storage.items.states());
  return items.onItem.on((itemId) => {
    const row = storage.items.get(itemId);
    const before = states.get(itemId);
    if (row === undefined || row.state === before) return;
    states.set(itemId, row.state);
    const sphere = list.find(row.sphereId);
    const code = TOLD[row.state];
    if (code === undefined || before === undefined || sphere === undefined) return;
    // Touched, and itself after all, or its disk is back: nothing has arrived.
    if (row.state === 'complete' && (before === 'changed' || before === 'missing')) return;
    const view = viewItem({ storage, items, source, names }, sphere, row);
    // What was edited of somebody else's asks for another answer than a file of one's own.
    const isCopy = row.state === 'changed' && view?.mine === false && !view.isPublic;
    tell({ code: isCopy ? 'copy-edited' : code, params: { name: view?.name ?? '' } });
  });
}

function followMoved({ people, names }: AccountSession, tell: (notice: Notice) => void): () => void {
  return people.contacts.onMoved.on(({ to }) => {
    tell({ code: 'moved', params: { person: names.of(to), address: to } });
  });
}

/** What is here of an item is not what it is any more. */
function followVersions({ storage, list, names }: AccountSession, tell: (notice: Notice) => void): () => void {
  const told = new Set<ItemId>();
  return list.onChange.on(({ sphere, changes }) => {
    for (const change of changes) {
      if (change.kind !== 'item-replaced') continue;
      const { items } = sphere.state;
      const old = items.get(change.id)?.event;
      const event = items.get(versionsOf(items, change.id).at(-1) ?? change.id)?.event;
      const isHere = storage.items.get(change.id)?.state === 'complete';
      if (old === undefined || event === undefined || !isHere || told.has(change.id)) continue;
      if (hasSameBytes(old, event) || event.header.person === sphere.person) continue;
      told.add(change.id);
      const person = names.of(sphere.jidOf(event.header.person) ?? sphere.row.room);
      tell({ code: 'new-version', params: { person, name: event.body.name } });
    }
  });
}

/** Somebody speaks to us by name. */
function followMentions({ storage, list, own, names }: AccountSession, tell: (notice: Notice) => void): () => void {
  const told = new Set<string>();
  return list.onChange.on(({ sphere, changes }) => {
    for (const change of changes) {
      const row = change.kind === 'message' ? storage.messages.get(change.id) : undefined;
      const event = row === undefined ? undefined : sphere.log.get(row.id);
      if (row === undefined || row.read || row.from === own || told.has(row.id)) continue;
      if (event?.type !== 'message' || event.body.mentions?.includes(sphere.person) !== true) continue;
      told.add(row.id);
      tell({ code: 'mentioned', params: { person: names.of(senderOf(sphere, row)), sphere: sphere.state.name } });
    }
  });
}

function followFailures(
  { outgoing, storage, list, names }: AccountSession,
  tell: (notice: Notice) => void,
): () => void {
  const refused = new Set<string>();
  const look = (entry: OutboxRow): void => {
    // A line says it itself.
    if (entry.state === 'failed' || storage.messages.get(entry.eventId)?.state === 'failed') return;
    const sphere = entry.sphereId === null ? undefined : list.find(entry.sphereId);
    const audience = parseAudience(entry.audience);
    const params = { sphere: sphere?.state.name ?? '' };
    // What takes an invitation back goes the same way, without a line.
    if (audience.kind !== 'account' || entry.line === null) tell({ code: 'not-sent', params });
    else tell({ code: 'invitation-not-sent', params: { ...params, person: names.of(audience.jid) } });
  };
  const stops = [
    outgoing.onFailed.on(look),
    outgoing.onRefused.on((entry) => {
      const left = entry.sphereId === null ? undefined : list.find(entry.sphereId)?.lastWord?.id;
      const isForAll = entry.sphereId !== null && parseAudience(entry.audience).kind !== 'device';
      // That somebody leaves is told in another way; anything else is tried on, and told once of each room.
      if (!isForAll || entry.eventId === left || refused.has(entry.to)) return;
      refused.add(entry.to);
      look(entry);
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

function followDevices(session: AccountSession, tell: (notice: Notice) => void): () => void {
  const known = new Set(newDevices(session).map(({ device }) => device));
  return session.devices.onChange.on(() => {
    for (const { device, name } of newDevices(session)) {
      if (!known.has(device)) tell({ code: 'device-added', params: { name } });
      known.add(device);
    }
  });
}

/** Those of our own that the person has not said to be theirs. */
function newDevices({ devices }: AccountSession): OwnDeviceRow[] {
  return devices.list().filter(({ state }) => state === 'new');
}

interface Fork {
  /** What is told once: its device, and its person where the device counts no more. */
  readonly keys: readonly string[];
  readonly person: PersonId;
  readonly jid: BareJid;
}

/** Devices that used a number twice. A person can make any number of such that count no more: one of them is told. */
function forksIn(sphere: Sphere): Fork[] {
  const { id, state } = sphere;
  return [...state.forks.keys()].flatMap((device) => {
    const person = personOfDevice(sphere, device);
    const jid = person === undefined ? undefined : sphere.jidOf(person);
    if (person === undefined || jid === undefined) return [];
    const key = `${id} ${device}`;
    return [{ keys: state.devices.has(device) ? [key] : [key, `${id} ${person}`], person, jid }];
  });
}

function forkNotice({ names }: AccountSession, sphere: Sphere, { person, jid }: Fork): Notice {
  const { name } = sphere.state;
  if (person === sphere.person) return { code: 'forked-own', params: { sphere: name } };
  return { code: 'forked', params: { sphere: name, person: names.of(jid) } };
}

/** Members under an address of which somebody else was verified. */
function changedPeople({ storage }: AccountSession, { state }: Sphere): SphereMember[] {
  return [...state.members.values()].filter((member) => identityOf(storage, member) === 'changed');
}
