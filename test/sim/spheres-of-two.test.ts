import { expect, test } from 'vitest';
import type { BareJid } from '../../src/base/id.ts';
import type { Sphere } from '../../src/spheres/sphere.ts';
import { partnerIn } from '../../src/spheres/partner-in.ts';
import type { SimPerson } from './sim-world.ts';
import { CONTACT, noSignal, SimWorld } from './sim-world.ts';

const knows = (person: SimPerson, other: SimPerson): void =>
  person.session.storage.contacts.put({ ...CONTACT, jid: other.jid });

async function twoWhoKnowEachOther() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  knows(ana, ben);
  knows(ben, ana);
  return { world, ana, ben };
}

const spheresWith = (person: SimPerson, other: SimPerson): Sphere[] => person.session.ofTwo.all(other.jid);
const share = (person: SimPerson, other: SimPerson): Promise<Sphere> => person.session.ofTwo.with(other.jid, noSignal);
const stateOf = (sphere: Sphere | undefined, jid: BareJid): string | undefined => sphere?.state.members.get(jid)?.state;

test('the first file to somebody on the list makes a sphere that they are in without a question', async () => {
  const { world, ana, ben } = await twoWhoKnowEachOther();
  ben.session.link.goOffline();
  const [sphere, again] = await Promise.all([share(ana, ben), share(ana, ben)]);
  await ana.share('first.jpg');
  await ben.session.goOnline();
  // Folders are made on the real disk, which takes the time it takes.
  await world.until(() => stateOf(sphere, ben.jid) === 'joined');
  expect(again.id).toBe(sphere.id);
  expect(spheresWith(ben, ana).map(({ id }) => id)).toEqual([sphere.id]);
  expect(stateOf(sphere, ben.jid)).toBe('joined');
  expect(ben.session.storage.invitations.list('open')).toEqual([]);
  // What was shared before they came in is why they were asked: it is news.
  const unread = (): number => ben.session.storage.messages.countUnread(ben.session.sphere().row, ben.jid);
  await world.until(() => unread() > 0);
  expect(unread()).toBe(1);
  // The way back is the same sphere.
  expect((await share(ben, ana)).id).toBe(sphere.id);
  await ana.share('cake.jpg');
  await world.until(() => ben.session.sphere().state.items.size === 2);
  expect([...ben.session.sphere().state.items.values()].map(({ event }) => event.body.name)).toEqual([
    'first.jpg',
    'cake.jpg',
  ]);
});

test('of two that were made at the same time both sides go on in the same one, and nothing of the other is lost', async () => {
  const { world, ana, ben } = await twoWhoKnowEachOther();
  ana.session.link.goOffline();
  const theirs = await share(ben, ana);
  await ana.session.goOnline();
  // Ana has not read her mail yet.
  const [ours] = await Promise.all([share(ana, ben), world.clock.advance(1)]);
  const isInBoth = (person: SimPerson, other: SimPerson): boolean => {
    const all = spheresWith(person, other);
    return all.length === 2 && all.every((sphere) => stateOf(sphere, person.jid) === 'joined');
  };
  await world.until(() => isInBoth(ana, ben) && isInBoth(ben, ana));
  for (const person of [ana, ben]) {
    const other = person === ana ? ben : ana;
    const all = spheresWith(person, other);
    expect(new Set(all.map(({ id }) => id))).toEqual(new Set([ours.id, theirs.id]));
    for (const sphere of all) expect(stateOf(sphere, person.jid)).toBe('joined');
  }
  expect((await share(ana, ben)).id).toBe((await share(ben, ana)).id);
});

test('all devices of both take the invitation at once, and end in one sphere with one log', async () => {
  const { world, ana, ben } = await twoWhoKnowEachOther();
  const benLaptop = await world.another(ben);
  knows(benLaptop, ana);
  await world.quiet();
  const sphere = await share(ana, ben);
  await world.quiet();
  const isLike = (person: SimPerson): boolean =>
    person.session.list.all().length === 1 && `${person.session.eventIds()}` === `${ana.session.eventIds()}`;
  await world.until(() => sphere.state.devices.size === 3 && isLike(ben) && isLike(benLaptop));
  for (const person of [ben, benLaptop]) {
    expect(spheresWith(person, ana).map(({ id }) => id)).toEqual([sphere.id]);
    expect((await share(person, ana)).id).toBe(sphere.id);
  }
  // What a device says of itself may still be on its way when the sphere is asked for.
  await world.until(() => isLike(ben) && isLike(benLaptop));
  expect([isLike(ben), isLike(benLaptop)]).toEqual([true, true]);
  for (const person of [ben, benLaptop]) {
    expect(person.session.sphere().epochs.map(({ eventId }) => eventId)).toEqual([sphere.epochs[0]?.eventId]);
  }
});

test('a stranger who wants to share is asked about like everybody who invites', async () => {
  const world = new SimWorld();
  const [ana, eve] = [await world.person('ana'), await world.person('eve')];
  await share(eve, ana);
  await world.quiet();
  const [invitation] = ana.session.storage.invitations.list('open');
  if (invitation === undefined) throw new Error('not invited');
  expect(ana.session.ofTwo.isTaken(invitation)).toBe(false);
  expect(ana.session.ofTwo.partnerOf(invitation)).toBe(eve.jid);
  // Putting them on the list is the answer.
  knows(ana, eve);
  ana.session.people.contacts.onChange.emit(eve.jid);
  await world.quiet();
  expect(stateOf(spheresWith(ana, eve)[0], ana.jid)).toBe('joined');
});

test('a third one who is let in makes it a sphere like any other, and what follows goes to a new one', async () => {
  const { world, ana, ben } = await twoWhoKnowEachOther();
  const eve = await world.person('eve');
  const sphere = await share(ana, ben);
  await world.quiet();
  await ana.session.members.invite(sphere.id, eve.jid, noSignal);
  await world.quiet();
  for (const person of [ana, ben]) {
    const here = person.session.list.get(sphere.id);
    expect(partnerIn(here.state, person.jid)).toBeNull();
    expect(spheresWith(person, person === ana ? ben : ana)).toEqual([]);
  }
  // Eve is asked: nobody brings others into a sphere without a question.
  const [invitation] = eve.session.storage.invitations.list('open');
  expect(invitation === undefined ? undefined : eve.session.ofTwo.partnerOf(invitation)).toBeNull();
  expect((await share(ben, ana)).id).not.toBe(sphere.id);
});

test('whoever left or said no is invited again into the same sphere with the next file', async () => {
  const { world, ana, ben } = await twoWhoKnowEachOther();
  const sphere = await share(ana, ben);
  await world.quiet();
  await ben.session.members.leave(sphere.id, noSignal);
  await world.quiet();
  expect(stateOf(sphere, ben.jid)).toBe('left');
  expect((await share(ana, ben)).id).toBe(sphere.id);
  await world.quiet();
  expect(stateOf(sphere, ben.jid)).toBe('joined');
});
