import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import type { BareJid } from '../base/id.ts';
import { viewMessage } from './message-view.ts';
import { PeopleNames } from './people-names.ts';
import { viewMembers } from './sphere-view.ts';

async function three() {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  await world.sphere(ana, ben, eve);
  return { world, ana, ben, eve };
}

/** Puts them on the list, with what they call themselves. */
function know({ session }: SimPerson, jid: BareJid, nick: string | null, name: string | null = null): void {
  session.people.contacts.meet(jid, true);
  session.storage.contacts.update(jid, { standing: 'contact', nick, name });
  session.people.contacts.onChange.emit(jid);
}

test('a member goes by what we call them, else by what they call themselves, else by their address', async () => {
  const { ana, ben } = await three();
  const { names } = ana.session;
  expect(names.of(ben.jid)).toBe('Ben');
  know(ana, ben.jid, 'Benny');
  expect(names.of(ben.jid)).toBe('Benny');
  know(ana, ben.jid, 'Benny', 'Papa');
  expect(names.of(ben.jid)).toBe('Papa');
  const member = viewMembers(ana.session, ana.session.sphere()).find(({ jid }) => jid === ben.jid);
  expect(member?.name).toBe('Papa');
});

test('whoever calls themselves like another member is shown with the address, as the other one is', async () => {
  const { world, ana, ben, eve } = await three();
  know(ana, eve.jid, 'Веn');
  const { names } = ana.session;
  expect([names.of(eve.jid), names.of(ben.jid)]).toEqual([`Веn (${eve.jid})`, `Ben (${ben.jid})`]);
  eve.session.messages.say(eve.session.sphere().id, 'hello');
  await world.quiet();
  const [line] = ana.session.lines().filter(({ text }) => text === 'hello');
  expect(line && viewMessage(ana.session, line).fromName).toBe(`Веn (${eve.jid})`);
  know(ana, ben.jid, null, 'Ben');
  expect([names.of(eve.jid), names.of(ben.jid)]).toEqual([`Веn (${eve.jid})`, 'Ben']);
  know(ana, eve.jid, 'Ana');
  expect([names.of(eve.jid), names.of(ana.jid)]).toEqual([`Ana (${eve.jid})`, `Ana (${ana.jid})`]);
});

test('a stranger who is called like somebody we know is shown with the address and changes nobody else', async () => {
  const { ana, ben } = await three();
  const stranger = `ben@elsewhere.test` as BareJid;
  ana.session.people.contacts.meet(stranger, false);
  const { names } = ana.session;
  expect([names.of(stranger), names.of(ben.jid)]).toEqual([`Ben (${stranger})`, 'Ben']);
  await ana.session.members.remove(ana.session.sphere().id, ben.jid, noSignal);
  expect(names.of(stranger)).toBe('Ben');
});

test('nobody who calls themselves “You” is taken for the person at this computer', async () => {
  const { ana, eve } = await three();
  const { names } = ana.session;
  for (const nick of ['You', 'vous', 'Y\u043eu']) {
    know(ana, eve.jid, nick);
    expect(names.of(eve.jid)).toBe(`${nick} (${eve.jid})`);
  }
  know(ana, eve.jid, 'Youna');
  expect(names.of(eve.jid)).toBe('Youna');
});

test('that somebody comes online makes nobody gather the names of all others anew', async () => {
  const { ana, ben, eve } = await three();
  know(ana, ben.jid, 'Benny');
  know(ana, eve.jid, null);
  const { session } = ana;
  const { account, contacts } = session.storage;
  let gathered = 0;
  const counted = {
    get: contacts.get.bind(contacts),
    list: () => {
      gathered += 1;
      return contacts.list();
    },
  };
  const names = new PeopleNames({ ...session, storage: { account, contacts: counted as never }, own: ana.jid });
  expect(names.of(ben.jid)).toBe('Benny');
  const before = gathered;
  for (let turn = 0; turn < 50; turn += 1) session.people.contacts.onChange.emit(eve.jid);
  expect([names.of(ben.jid), gathered]).toEqual(['Benny', before]);
});
