import { expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import type { SimPerson } from './sim-world.ts';
import { CONTACT, noSignal, SimWorld } from './sim-world.ts';

const knows = (person: SimPerson, other: SimPerson): void =>
  person.session.storage.contacts.put({ ...CONTACT, jid: other.jid });

const open = (person: SimPerson) => person.session.storage.invitations.list('open');

async function inviteOften(person: SimPerson, guest: SimPerson, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    const { id } = await person.session.members.create(`${person.name} ${time}`, noSignal);
    await person.session.members.invite(id, guest.jid, noSignal);
  }
}

async function crowded(spammers: readonly string[]) {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  for (const name of spammers) {
    await inviteOften(await world.person(name), ana, 10);
    await world.quiet();
  }
  return { world, ana, ben };
}

test('strangers who invite to whatever they can keep out neither the invitation nor the file of somebody on the list', async () => {
  const { world, ana, ben } = await crowded(['spam1', 'spam2', 'spam3', 'spam4', 'spam5']);
  knows(ana, ben);
  knows(ben, ana);
  const { id } = await ben.session.members.create('Summer', noSignal);
  await ben.session.members.invite(id, ana.jid, noSignal);
  await world.quiet();
  expect(open(ana).filter(({ from }) => from === ben.jid)).toHaveLength(1);
  const ofTwo = await ben.session.ofTwo.with(ana.jid, noSignal);
  const itemId = await ben.share('cake.jpg', 'cake', ofTwo);
  await world.until(() => ana.session.ofTwo.all(ben.jid)[0]?.state.items.size === 1);
  expect(ana.session.list.find(ofTwo.id)?.state.items.get(itemId)?.event.body.name).toBe('cake.jpg');
});

test('of the invitations of strangers so many are kept as one of them, and their server, may have', async () => {
  const { ana } = await crowded(['spam1', 'spam2', 'spam3']);
  expect(
    open(ana)
      .map(({ from }) => from)
      .sort(),
  ).toEqual([
    ...Array.from({ length: 5 }, () => 'spam1@home.sim'),
    ...Array.from({ length: 5 }, () => 'spam2@home.sim'),
  ]);
});

test('a stranger whose invitations stand and who gets on the list leaves room for other strangers, and may invite to so much and no more', async () => {
  const { world, ana, ben } = await crowded(['spam1', 'spam2']);
  const [first, second] = world.people.filter(({ name }) => name === 'spam1' || name === 'spam2');
  if (first === undefined || second === undefined) throw new Error('nobody invited');
  knows(ana, first);
  await inviteOften(first, ana, 10);
  await inviteOften(second, ana, 1);
  await inviteOften(ben, ana, 1);
  await world.quiet();
  const of = (name: string): number => open(ana).filter(({ from }) => from === parseBareJid(`${name}@home.sim`)).length;
  expect([of('spam1'), of('spam2'), of('ben')]).toEqual([10, 5, 1]);
});
