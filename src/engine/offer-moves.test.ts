import { expect, onTestFinished, test } from 'vitest';
import type { TestPerson } from '../../test/fixtures/protocol/people.ts';
import { createPerson } from '../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, Writer } from '../../test/fixtures/protocol/sphere-world.ts';
import { RosterPort } from '../../test/fixtures/roster-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, PersonId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { Contacts } from '../people/contacts.ts';
import type { Sphere } from '../spheres/sphere.ts';
import { openStorage } from '../storage/storage.ts';
import { xml } from '../xmpp/element.ts';
import { NS_PUBSUB } from '../xmpp/xep/0060-pubsub.ts';
import { NS_MOVED } from '../xmpp/xep/0283-moved.ts';
import { bundleElement, bundleNode } from '../xmpp/xep/0384-omemo.ts';
import { offerMoves } from './offer-moves.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const benNew = createPerson('ben', { jid: 'ben@new.example' });
const never = new AbortController().signal;
const KEY = new Uint8Array(32);

/** Ana's program, that knows Ben by talks alone. `nodes`: what other accounts publish; a null server cannot be reached. */
function setUp() {
  const folder = new StorageFolder();
  const storage = openStorage(folder.deps());
  const client = new RosterPort();
  const { iq } = client;
  const asked: string[] = [];
  const nodes = new Map<string, ReturnType<typeof xml>>();
  client.iq = async (type, to, payload) => {
    const node = payload.getChild('items')?.attrs['node'] as string | undefined;
    if (node === undefined) return iq.call(client, type, to, payload);
    asked.push(`${to} ${node}`);
    const found = nodes.get(`${to} ${node}`);
    if (found === undefined) {
      throw new AppError('server-unreachable', 'away', { condition: 'remote-server-timeout' });
    }
    const item = xml('item', { id: 'current' }, found);
    return xml('iq', {}, xml('pubsub', { xmlns: NS_PUBSUB }, xml('items', { node }, item)));
  };
  const contacts = new Contacts({
    ...{ client, storage, clock: systemClock, log: silentLogger },
    sharesSphere: () => true,
    spawn: () => undefined,
  });
  onTestFinished(() => {
    contacts[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const sphere = (state: 'joined' | 'left' = 'joined'): Sphere =>
    ({ state: owner.log.state(), log: owner.log, person: ana.person.id, row: { state } }) as unknown as Sphere;
  const offer = async (...spheres: Sphere[]): Promise<void> => {
    await offerMoves({ list: { all: () => spheres }, people: { contacts }, storage, log: silentLogger }, never);
  };
  return {
    ...{ storage, client, contacts, owner, guest, sphere, offer, asked },
    moves(to: TestPerson = benNew): void {
      guest.moveTo(to);
      owner.receive(guest);
    },
    publishes({ jid, certificate, omemoIdentityKey }: TestPerson, identityKey = omemoIdentityKey): void {
      const key = { id: 1, publicKey: new Uint8Array([5, ...KEY]) };
      const signed = { ...key, signature: new Uint8Array(64) };
      const bundle = bundleElement({ identityKey, signedPreKey: signed, preKeys: [key] });
      nodes.set(`${jid} ${bundleNode(certificate.omemoDeviceId ?? 0)}`, bundle);
    },
    states(from: BareJid, to: BareJid): void {
      nodes.set(`${from} ${NS_MOVED}`, xml('moved', { xmlns: NS_MOVED }, xml('new-jid', {}, to)));
    },
    writes(peer: BareJid, person: PersonId | null): void {
      contacts.meet(peer, true);
      // What is read there shows a key, and a room server can say the same of anybody.
      storage.knownDevices.learn(peer, ben.certificate.omemoDeviceId ?? 0, ben.omemoIdentityKey, 1);
      storage.directMessages.add({
        ...{ id: ben.person.id as string as EventId, peer, mine: false, stanzaId: null, text: 'hello', atMs: 1 },
        ...{ state: 'received', failure: null, person, encrypted: true },
      });
    },
  };
}

test('nobody is followed without a click: who moved is offered once old account and new keys say so, and the talk stays', async () => {
  const { contacts, storage, moves, publishes, states, writes, sphere, offer, client } = setUp();
  writes(ben.jid, ben.person.id);
  moves();
  publishes(benNew);
  states(ben.jid, benNew.jid);
  await offer(sphere());
  expect(contacts.moved.formerOf(benNew.jid)).toEqual({ from: ben.jid, isConfirmed: true });
  expect(storage.directMessages.count(ben.jid)).toBe(1);
  expect(client.sent).toEqual([]);
});

test('a member who names somebody else’s address as their new one gets nothing of the talk with them', async () => {
  const { contacts, storage, moves, publishes, states, writes, sphere, offer, client } = setUp();
  writes(ben.jid, ben.person.id);
  const victor = createPerson('ben', { jid: 'victor@new.example' });
  moves(victor);
  publishes(victor, createPerson('victor').omemoIdentityKey);
  states(ben.jid, victor.jid);
  await offer(sphere());
  expect(contacts.moved.formerOf(victor.jid)).toBeUndefined();
  expect(contacts.get(victor.jid)).toBeUndefined();
  expect(storage.directMessages.count(ben.jid)).toBe(1);
  expect(client.sent).toEqual([]);
});

test('a move from an address that rests on what a room said of it is not offered', async () => {
  const { contacts, storage, moves, publishes, writes, sphere, offer } = setUp();
  writes(ben.jid, null);
  moves();
  publishes(benNew);
  await offer(sphere());
  expect(contacts.moved.formerOf(benNew.jid)).toBeUndefined();
  expect(storage.directMessages.count(ben.jid)).toBe(1);
});

test('with the old server gone lines that came from there stand for it, and the offer says that it was not confirmed', async () => {
  const { contacts, moves, publishes, writes, sphere, offer } = setUp();
  writes(ben.jid, ben.person.id);
  moves();
  publishes(benNew);
  await offer(sphere());
  expect(contacts.moved.formerOf(benNew.jid)).toEqual({ from: ben.jid, isConfirmed: false });
});

test('an old account that names another address speaks against a move', async () => {
  const { contacts, moves, publishes, states, writes, sphere, offer } = setUp();
  writes(ben.jid, ben.person.id);
  moves();
  publishes(benNew);
  states(ben.jid, createPerson('eve').jid);
  await offer(sphere());
  expect(contacts.moved.formerOf(benNew.jid)).toBeUndefined();
});

test.each([
  ['from', ben.jid],
  ['to', benNew.jid],
])('a blocked person is not followed, whichever address is the blocked one: %s', async (_which, blocked) => {
  const { contacts, storage, moves, publishes, states, writes, sphere, offer } = setUp();
  writes(ben.jid, ben.person.id);
  storage.blocked.add(blocked);
  moves();
  publishes(benNew);
  states(ben.jid, benNew.jid);
  await offer(sphere());
  expect(contacts.moved.formerOf(benNew.jid)).toBeUndefined();
  await expect(contacts.follow({ from: ben.jid, to: benNew.jid }, never)).rejects.toMatchObject({
    code: 'not-allowed',
  });
  expect(storage.directMessages.count(ben.jid)).toBe(1);
});

test('who moves back and away again is offered again, and a sphere that we left hinders nothing', async () => {
  const { contacts, moves, publishes, states, writes, sphere, offer } = setUp();
  writes(ben.jid, ben.person.id);
  moves();
  publishes(benNew);
  publishes(ben);
  states(ben.jid, benNew.jid);
  states(benNew.jid, ben.jid);
  const left = sphere('left');
  await offer(left, sphere());
  await contacts.follow({ from: ben.jid, to: benNew.jid }, never);
  moves(ben);
  await offer(left, sphere());
  await contacts.follow({ from: benNew.jid, to: ben.jid }, never);
  moves();
  await offer(left, sphere());
  expect(contacts.moved.formerOf(benNew.jid)).toEqual({ from: ben.jid, isConfirmed: true });
});

test('who is declined is not offered again', async () => {
  const { contacts, moves, publishes, states, writes, sphere, offer } = setUp();
  writes(ben.jid, ben.person.id);
  moves();
  publishes(benNew);
  states(ben.jid, benNew.jid);
  await offer(sphere());
  await contacts.decline(benNew.jid);
  await offer(sphere());
  expect(contacts.moved.formerOf(benNew.jid)).toBeUndefined();
});

test('whoever certifies any number of devices at somebody’s address has its server asked for a few of them, each once', async () => {
  const { moves, writes, owner, guest, sphere, offer, asked } = setUp();
  writes(ben.jid, ben.person.id);
  moves();
  for (let number = 0; number < 20; number += 1) {
    const device = createPerson('ben', { device: `tablet ${number}`, jid: benNew.jid });
    const writer = new Writer(device, owner.log.sphereId);
    writer.receive(guest);
    for (let time = 0; time < 2; time += 1) writer.write('device', device.certificate);
    owner.receive(writer);
  }
  await offer(sphere(), sphere());
  expect(asked.length).toBe(16);
  expect(new Set(asked).size).toBe(16);
});
