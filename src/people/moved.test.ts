import { expect, onTestFinished, test } from 'vitest';
import { RosterPort } from '../../test/fixtures/roster-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import type { BareJid, EventId } from '../base/id.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid, parseEventId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { openStorage } from '../storage/storage.ts';
import { type Element, xml } from '../xmpp/element.ts';
import { NS_PUBSUB } from '../xmpp/xep/0060-pubsub.ts';
import { NS_MOVED } from '../xmpp/xep/0283-moved.ts';
import { ManualTrust } from '../spheres/manual-trust.ts';
import { ComparedKeys } from './compared-keys.ts';
import { Contacts } from './contacts.ts';
import { MovingIn } from './moving-in.ts';

const OLD = parseBareJid('ben@old.test');
const NEW = parseBareJid('ben@new.test');
const never = new AbortController().signal;

/** `statement` = where the old account says that its owner went. */
function setUp(statement: string | null) {
  const folder = new StorageFolder();
  const storage = openStorage(folder.deps());
  const client = new RosterPort();
  const { iq } = client;
  const asked: (string | undefined)[] = [];
  client.iq = async (type, to, payload) => {
    if (!payload.is('pubsub', NS_PUBSUB)) return iq.call(client, type, to, payload);
    asked.push(to);
    const moved = xml('moved', { xmlns: NS_MOVED }, xml('new-jid', {}, statement ?? ''));
    const items = statement === null ? [] : [xml('item', { id: 'current' }, moved)];
    return xml('iq', {}, xml('pubsub', { xmlns: NS_PUBSUB }, xml('items', { node: NS_MOVED }, ...items)));
  };
  const running: Promise<void>[] = [];
  const contacts = new Contacts({
    ...{ client, storage, clock: systemClock, log: silentLogger },
    sharesSphere: () => false,
    spawn: (_name, task) => void running.push(task(never)),
  });
  onTestFinished(() => {
    contacts[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const list = (jid: BareJid, subscription: string): Promise<void> =>
    client.push(client.jid, xml('item', { jid, subscription, name: 'Benny' }));
  const request = async (from: string, old: string): Promise<void> => {
    const moved = xml('moved', { xmlns: NS_MOVED }, xml('old-jid', {}, old));
    client.onStanza.emit(xml('presence', { from, type: 'subscribe' }, moved));
    await Promise.all(running);
  };
  return { storage, client, contacts, asked, list, request };
}

const line = (peer: BareJid) => ({
  ...{ id: 'a'.repeat(64) as EventId, peer, mine: false, stanzaId: null, text: 'hello', atMs: 1 },
  ...{ state: 'received' as const, failure: null, person: null, encrypted: true },
});

test('somebody on our list whose old account says where they went is offered under the new address, and nothing more', async () => {
  const { contacts, list, request, client } = setUp(NEW);
  await list(OLD, 'both');
  await request(NEW, OLD);
  expect(contacts.moved.formerOf(NEW)).toEqual({ from: OLD, isConfirmed: true });
  expect(contacts.get(NEW)).toMatchObject({ standing: 'request', wants: true });
  expect(contacts.get(OLD)).toMatchObject({ standing: 'contact' });
  expect(client.subscriptions).toEqual([]);
});

test.each([
  ['whose old account says nothing', null, 'both'],
  ['whose old account names another address', 'eve@new.test', 'both'],
  ['who never saw us under the old address', NEW, 'to'],
])('a request of somebody %s is one like any other', async (_who, statement, subscription) => {
  const { contacts, list, request, asked } = setUp(statement);
  await list(OLD, subscription);
  await request(NEW, OLD);
  expect(contacts.moved.formerOf(NEW)).toBeUndefined();
  expect(contacts.get(NEW)).toMatchObject({ standing: 'request', wants: true });
  expect(asked).toEqual(subscription === 'to' ? [] : [OLD]);
});

test('whoever is followed keeps name, place and talk, and the old address leaves the list', async () => {
  const { contacts, list, request, storage, client } = setUp(NEW);
  await list(OLD, 'both');
  const said = line(OLD);
  storage.directMessages.add(said);
  storage.talkWords.put({ id: parseEventId('e'.repeat(64)), peer: OLD, line: said.id, kind: 'retract' });
  await request(NEW, OLD);
  const followed: object[] = [];
  contacts.onMoved.on((moved) => followed.push(moved));
  await contacts.follow({ from: OLD, to: NEW }, never);
  expect(contacts.get(NEW)).toMatchObject({ standing: 'contact', name: 'Benny', wants: false });
  expect(contacts.get(OLD)).toBeUndefined();
  expect(storage.directMessages.newest(NEW, 5).map(({ text }) => text)).toEqual(['hello']);
  expect(storage.talkWords.list().map(({ peer }) => peer)).toEqual([NEW]);
  expect(client.subscriptions).toEqual([`subscribed ${NEW}`, `subscribe ${NEW}`]);
  expect(client.asked.at(-1)?.getChild('item')?.attrs).toMatchObject({ jid: OLD, subscription: 'remove' });
  expect(followed).toEqual([{ from: OLD, to: NEW }]);
});

test('whoever is followed stays compared, also when the old address cannot be taken off the list', async () => {
  const { contacts, list, request, storage, client } = setUp(NEW);
  await list(OLD, 'both');
  const key = { deviceId: 7, identityKey: '05aa', atMs: 1 };
  ComparedKeys.replace(storage, OLD, [key]);
  ManualTrust.keep(storage, OLD);
  await request(NEW, OLD);
  const { iq } = client;
  client.iq = (type, to, payload) => {
    const isRemoval = payload.getChild('item')?.attrs['subscription'] === 'remove';
    return isRemoval ? Promise.reject(new AppError('disconnected', 'cut')) : iq.call(client, type, to, payload);
  };
  const order: string[] = [];
  contacts.onMoved.on(() => order.push('told'));
  const along = (): void => void order.push('along');
  await expect(contacts.follow({ from: OLD, to: NEW }, never, along)).rejects.toThrow('cut');
  expect(order).toEqual(['along', 'told']);
  expect([ComparedKeys.list(storage, OLD), ComparedKeys.list(storage, NEW)]).toEqual([[key], [key]]);
  expect([ManualTrust.isOn(storage, OLD), ManualTrust.isOn(storage, NEW)]).toEqual([true, true]);
});

test('after a move of ours everybody on the old list is on the new one and hears from where we came, each once', async () => {
  const { storage, client, contacts, list } = setUp(null);
  await list(OLD, 'both');
  await list(parseBareJid('zoe@old.test'), 'to');
  storage.blocked.add(parseBareJid('eve@evil.test'));
  const blocked: string[] = [];
  const ours = { from: parseBareJid('ana@before.test'), to: client.jid };
  MovingIn.note(storage, ours);
  client.items = [];
  await contacts.begin(never);
  expect(contacts.get(OLD)).toBeUndefined();
  const block = async (jid: BareJid): Promise<void> => void blocked.push(jid);
  const moving = new MovingIn({ storage, contacts, blocked: { block }, own: client.jid });
  await moving.finish(never);
  await moving.finish(never);
  expect(contacts.get(OLD)).toMatchObject({ standing: 'contact', name: 'Benny', asked: true });
  expect(blocked).toEqual(['eve@evil.test']);
  const oldIn = (stanza: Element): string | undefined =>
    stanza.getChild('moved', NS_MOVED)?.getChild('old-jid')?.getText();
  expect(client.sent.map(oldIn)).toEqual([ours.from, ours.from]);
});

test('one address that the new server refuses keeps nobody else off the new list', async () => {
  const { storage, client, list } = setUp(null);
  await list(OLD, 'both');
  await list(parseBareJid('zoe@old.test'), 'to');
  MovingIn.note(storage, { from: parseBareJid('ana@before.test'), to: client.jid });
  const added: string[] = [];
  const add = async (jid: BareJid): Promise<void> => {
    if (jid === OLD) throw new AppError('not-allowed', 'no', { condition: 'not-allowed', type: 'cancel' });
    added.push(jid);
  };
  const moving = new MovingIn({
    storage,
    contacts: { add, get: () => undefined },
    blocked: { block: add },
    own: client.jid,
  });
  await moving.finish(never);
  expect(added).toEqual(['zoe@old.test']);
});

test('what is still to be done after a move is left alone at another account', async () => {
  const { storage, client, contacts, list } = setUp(null);
  await list(OLD, 'both');
  MovingIn.note(storage, { from: client.jid, to: NEW });
  const block = (): Promise<void> => Promise.resolve();
  await new MovingIn({ storage, contacts, blocked: { block }, own: client.jid }).finish(never);
  expect(client.sent).toEqual([]);
  expect(storage.settings.get('moving-in', (value) => value)).toBeDefined();
});
