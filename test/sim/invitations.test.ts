import { expect, test } from 'vitest';
import type { AppEvent } from '../../src/contract/views.ts';
import { viewMembers } from '../../src/engine/sphere-view.ts';
import { ViewSource } from '../../src/engine/view-source.ts';
import { encodeEnvelope } from '../../src/spheres/protocol/envelope.ts';
import { membershipEntries } from '../../src/spheres/protocol/invitation.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

async function invited() {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const { id, row } = await world.sphere(ana, eve);
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  return { world, ana, ben, eve, id, room: row.room };
}

const open = (person: SimPerson) => person.session.storage.invitations.list('open');

function decline(person: SimPerson): void {
  const [invitation] = open(person);
  if (invitation === undefined) throw new Error('not invited');
  person.session.members.decline(invitation.id);
}

function shown(person: SimPerson, other: SimPerson): string | undefined {
  return viewMembers(person.session, person.session.sphere()).find(({ jid }) => jid === other.jid)?.state;
}

test('whoever is invited twice has one invitation, the newest, and joins once', async () => {
  const { world, ana, ben, id } = await invited();
  const [first] = open(ben);
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  expect(open(ben)).toHaveLength(1);
  expect(open(ben)[0]?.id).not.toBe(first?.id);
  await world.accept(ben);
  expect(open(ben)).toEqual([]);
  expect(shown(ana, ben)).toBe('joined');
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('declining one of two invitations to a sphere leaves none open', async () => {
  const { world, ana, ben, id } = await invited();
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  decline(ben);
  await world.quiet();
  expect(open(ben)).toEqual([]);
  expect(shown(ana, ben)).toBe('declined');
});

test('an older invitation that arrives after a newer one was declined stays away', async () => {
  const { world, ana, ben, id } = await invited();
  const [old] = open(ben);
  if (old === undefined) throw new Error('not invited');
  ben.session.storage.invitations.remove(old.id);
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  decline(ben);
  ana.session
    .sphere()
    .enqueueEnvelope(old.id as never, old.envelope, ben.jid, { audience: { kind: 'account', jid: ben.jid }, line: '' });
  ana.session.outgoing.poke();
  await world.quiet();
  expect(open(ben)).toEqual([]);
});

test('a decline is told to everybody, closes the room, and gives away none of the keys of whoever declined', async () => {
  const { world, ana, ben, eve, room } = await invited();
  decline(ben);
  await world.quiet();
  expect([shown(ana, ben), shown(eve, ben)]).toEqual(['declined', 'declined']);
  expect([...world.server.room(room).affiliations.keys()]).toEqual([ana.jid, eve.jid]);
  const { author } = ben.session.identity;
  const written = ana.session
    .sphere()
    .log.events()
    .find(({ type }) => type === 'decline');
  expect(written?.header.device).not.toBe(author.device.id);
  expect(written?.header.person).not.toBe(author.person);
  expect(ben.session.storage.outbox.list('queued')).toEqual([]);
});

test('a decline without a connection is told once there is one', async () => {
  const { world, ana, ben } = await invited();
  ben.session.link.goOffline();
  decline(ben);
  await world.quiet();
  expect(shown(ana, ben)).toBe('invited');
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(shown(ana, ben)).toBe('declined');
});

test('whoever declined can be invited again, joins, and everybody agrees', async () => {
  const { world, ana, ben, eve, id } = await invited();
  decline(ben);
  await world.quiet();
  await world.bringIn(ana, ben);
  expect([shown(ana, ben), shown(eve, ben)]).toEqual(['joined', 'joined']);
  ben.session.messages.say(id, 'here after all');
  await world.quiet();
  expect(eve.session.texts()).toEqual(['here after all']);
  expect(ana.session.sphere().state.forks.size).toBe(0);
});

test('whoever declined can be taken off the list', async () => {
  const { world, ana, ben, eve, id } = await invited();
  decline(ben);
  await world.quiet();
  await ana.session.members.remove(id, ben.jid, noSignal);
  await world.quiet();
  expect([shown(ana, ben), shown(eve, ben)]).toEqual([undefined, undefined]);
});

test('a stranger declines for nobody, not even with the very words', async () => {
  const { world, ana, ben } = await invited();
  ben.session.link.goOffline();
  decline(ben);
  const [answer] = ben.session.storage.outbox.list('queued');
  if (answer === undefined) throw new Error('nothing was answered');
  const { id: _id, ...copy } = answer;
  const zoe = await world.person('zoe');
  zoe.session.storage.outbox.add(copy);
  zoe.session.outgoing.poke();
  await world.quiet();
  expect(zoe.session.storage.outbox.list('queued')).toEqual([]);
  expect(shown(ana, ben)).toBe('invited');
});

test('an invitation that is taken back disappears, and a new one counts', async () => {
  const { world, ana, ben, id } = await invited();
  const changed: string[] = [];
  ben.session.onInvitation.on((invitation) => changed.push(invitation));
  const [first] = open(ben);
  await ana.session.members.remove(id, ben.jid, noSignal);
  await world.quiet();
  expect(open(ben)).toEqual([]);
  expect(changed).toEqual([first?.id]);
  const told = world.server.account(ben.jid).mail.at(-1);
  expect(told?.stanza.getChild('x', 'jabber:x:conference')).toBeUndefined();
  await world.bringIn(ana, ben);
  expect(shown(ana, ben)).toBe('joined');
});

test('only whoever decides in the sphere can take an invitation back', async () => {
  const { world, ana, ben, eve, id } = await invited();
  // Eve, an ordinary member, writes a removal that no log accepts.
  const body = { jid: ben.jid, person: null, lastAccepted: [] };
  const sphere = eve.session.sphere();
  const removal = sphere.log.append(eve.session.identity.author, 1, 'remove', body);
  const envelope = encodeEnvelope(membershipEntries(sphere.log, removal as never));
  sphere.enqueueEnvelope(removal.id, envelope, ben.jid, { audience: { kind: 'account', jid: ben.jid } });
  eve.session.outgoing.poke();
  await world.quiet();
  expect(eve.session.storage.outbox.list('queued')).toEqual([]);
  expect(open(ben)).toHaveLength(1);
  expect(id).toBe(ana.session.sphere().id);
});

test('an invitation that is taken back before we hear that it left disappears all the same', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana);
  const [sent, heard] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  ana.session.link.afterSend = async ({ attrs }) => {
    if (attrs['to'] !== ben.jid) return;
    sent.resolve();
    await heard.promise;
  };
  await ana.session.members.invite(id, ben.jid, noSignal);
  await sent.promise;
  await ana.session.members.remove(id, ben.jid, noSignal);
  heard.resolve();
  await world.quiet();
  expect(ben.session.storage.invitations.list('withdrawn')).toHaveLength(1);
  expect(open(ben)).toEqual([]);
});

test('an invitation that is taken back while it is encrypted is not sent', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana);
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { link, outgoing } = ana.session;
  const deviceList = link.deviceList.bind(link);
  // The room's members have been told by then: the invitation itself is next.
  outgoing.onSent.on(() => {
    link.deviceList = async (jid) => {
      if (jid === ben.jid) asked.resolve();
      await answered.promise;
      return deviceList(jid);
    };
  });
  await ana.session.members.invite(id, ben.jid, noSignal);
  await asked.promise;
  await ana.session.members.remove(id, ben.jid, noSignal);
  answered.resolve();
  await world.quiet();
  expect(world.server.account(ben.jid).mail).toEqual([]);
});

test('an invitation that had not left when it was taken back is never sent', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana);
  const account = world.server.account(ben.jid);
  const listed = [...account.deviceIds];
  account.deviceIds = [];
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  await ana.session.members.remove(id, ben.jid, noSignal);
  await world.quiet();
  account.deviceIds = listed;
  await world.pass(700_000);
  expect(account.mail).toEqual([]);
  expect(ana.session.storage.outbox.list('queued')).toEqual([]);
});

test('a sphere that was left can be taken off the list, and a new invitation brings it back with its past', async () => {
  const { world, ana, eve, id } = await invited();
  const views = new ViewSource({ feed: eve.session.feed, clock: world.clock, log: world.log });
  const events: AppEvent[] = [];
  views.onEvent.on((event) => events.push(event));
  views.follow(eve.session.shown);
  const itemId = await ana.share('lake.jpg');
  ana.session.messages.say(id, 'before');
  await world.quiet();
  expect(() => eve.session.members.forget(id)).toThrow(expect.objectContaining({ code: 'conflict' }));
  await eve.session.members.leave(id, noSignal);
  await world.quiet();
  expect(views.spheres().map(({ state }) => state)).toEqual(['left']);
  eve.session.members.forget(id);
  expect([views.spheres(), views.snapshot().spheres, views.snapshot().items]).toEqual([[], [], []]);
  expect(events.at(-1)).toEqual({ kind: 'sphere-removed', sphereId: id });
  await world.bringIn(ana, eve);
  expect(views.spheres().map((sphere) => sphere.id)).toEqual([id]);
  expect(events.some((event) => event.kind === 'item' && event.item.id === itemId)).toBe(true);
  expect(eve.session.texts()).toEqual(['before']);
  expect(eve.session.sphere().state.forks.size).toBe(0);
});

test('whoever is blocked has no invitation open any more, hears nothing of that, and invites no more', async () => {
  const { world, ana, ben, id } = await invited();
  const changed: string[] = [];
  ben.session.onInvitation.on((invitation) => changed.push(invitation));
  const [first] = open(ben);
  await ben.session.people.blocked.block(ana.jid, { report: false }, noSignal);
  await world.quiet();
  expect([open(ben), changed]).toEqual([[], [first?.id]]);
  expect(shown(ana, ben)).toBe('invited');
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.quiet();
  expect([open(ben), changed]).toEqual([[], [first?.id]]);
});
