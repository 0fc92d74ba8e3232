import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  account,
  ana,
  attachment,
  ben,
  epoch,
  event,
  identity,
  invitation,
  item,
  knownDevice,
  message,
  omemoChanges,
  outboxEntry,
  sphere,
} from '../../test/fixtures/storage-rows.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { parseDeviceKey, parseEventId, parseItemId, parseSphereId } from '../base/id.ts';
import type { OmemoStore } from '../omemo/store.ts';
import type { Storage } from './storage.ts';

let folder: StorageFolder;
let storage: Storage;

beforeEach(() => {
  folder = new StorageFolder();
  storage = folder.open();
});

afterEach(() => {
  storage[Symbol.dispose]();
  folder[Symbol.dispose]();
});

const eventIdOf = (number: number): typeof event.id => parseEventId(number.toString(16).padStart(64, '0'));
const numberOf = (id: string): number => parseInt(id, 16);

test('settings keep any JSON, bytes included, and check it on the way out', () => {
  const value = { up: 1000, list: [null, 'x'], key: Uint8Array.of(1, 2, 255) };
  storage.settings.set('limits', { up: 1 });
  storage.settings.set('limits', value);
  expect(storage.settings.get('limits', (stored) => stored)).toEqual(value);
  expect(storage.settings.get('limits', Number)).toBeNaN();
  expect(storage.settings.get('none', (stored) => stored)).toBeUndefined();
  expect(() => storage.settings.set('function', () => 1)).toThrow(expect.objectContaining({ code: 'bad-input' }));
});

test('there is at most one account', () => {
  expect(storage.account.get()).toBeUndefined();
  storage.account.put({ ...account, jid: ben });
  storage.account.put(account);
  expect(storage.account.get()).toEqual(account);
  storage.account.put({ ...account, password: 'changed', ca: 'PEM' });
  expect(storage.account.get()).toEqual({ ...account, password: 'changed', ca: 'PEM' });
  storage.account.remove();
  expect(storage.account.get()).toBeUndefined();
});

test('there is at most one identity', () => {
  expect(storage.identity.get()).toBeUndefined();
  storage.identity.put({ ...identity, devicePrivateKey: Uint8Array.of(9) });
  storage.identity.put(identity);
  expect(storage.identity.get()).toEqual(identity);
});

test('known devices keep their first date and show the key they have now', () => {
  const { jid, deviceId, identityKey, firstSeenMs } = knownDevice;
  storage.knownDevices.learn(jid, deviceId, identityKey, firstSeenMs);
  storage.knownDevices.learn(jid, deviceId, identityKey, 9999);
  expect(storage.knownDevices.get(jid, deviceId)).toEqual(knownDevice);
  const changed = new Uint8Array(33).fill(6);
  storage.knownDevices.learn(jid, deviceId, changed, 9999);
  expect(storage.knownDevices.get(jid, deviceId)).toEqual({ ...knownDevice, identityKey: changed });
  expect(storage.knownDevices.get(ana, deviceId)).toBeUndefined();
});

test('the OMEMO table is a store for the OMEMO leaf', () => {
  const store: OmemoStore = storage.omemo;
  const address = { jid: ben, deviceId: 77 };
  expect([store.own(), store.session(address), store.identityKey(address)]).toEqual([undefined, undefined, undefined]);
  store.apply(omemoChanges);
  expect(store.own()).toEqual(omemoChanges.own);
  expect(store.preKeys()).toEqual(omemoChanges.preKeys);
  expect(store.preKey(1)).toEqual(omemoChanges.preKeys[0]);
  expect(store.signedPreKeys()).toEqual(omemoChanges.signedPreKeys);
  expect(store.signedPreKey(2)).toEqual(omemoChanges.signedPreKeys[0]);
  expect(store.session(address)).toBe('{"sessions":{}}');
  expect(store.identityKey(address)).toEqual(new Uint8Array(33).fill(5));
  expect(storage.knownDevices.get(ben, 77)).toMatchObject({ firstSeenMs: 1000 });
  const used = omemoChanges.preKeys.map((preKey) => ({ ...preKey, usedAtMs: 123 }));
  store.apply({ ...omemoChanges, own: null, preKeys: used, removedSignedPreKeys: [2] });
  expect(store.preKey(1)?.usedAtMs).toBe(123);
  expect(store.signedPreKeys()).toEqual([]);
  expect(store.own()).toEqual(omemoChanges.own);
  store.apply({ ...omemoChanges, removedPreKeys: [1] });
  expect(store.preKeys()).toEqual([]);
});

test('spheres are listed in the order of the person', () => {
  const other = { ...sphere, id: parseSphereId('b'.repeat(64)), position: 0, invitedBy: null };
  storage.spheres.put(sphere);
  storage.spheres.put(other);
  expect(storage.spheres.list()).toEqual([other, sphere]);
  expect(storage.spheres.update(sphere.id, { archiveCursor: 'x1', state: 'left' })).toBe(true);
  expect(storage.spheres.get(sphere.id)).toEqual({ ...sphere, archiveCursor: 'x1', state: 'left' });
  expect(storage.spheres.update(parseSphereId('c'.repeat(64)), { name: 'x' })).toBe(false);
});

test('writing a sphere again does not remove what belongs to it, removing it does', () => {
  storage.spheres.put(sphere);
  storage.events.add(event);
  storage.attachments.put(attachment);
  storage.epochs.put(epoch);
  storage.outbox.add(outboxEntry);
  storage.items.put(item);
  storage.messages.add(message);
  storage.spheres.put({ ...sphere, name: 'Renamed' });
  expect(storage.events.averageBytes(sphere.id)).toBeGreaterThan(event.bytes.length);
  const left = (): number[] => [
    storage.events.count(sphere.id),
    storage.attachments.list(event.id).length,
    storage.epochs.list(sphere.id).length,
    storage.outbox.list('queued').length,
    storage.items.list(sphere.id).length,
    storage.messages.newest(sphere.id, 10).length,
  ];
  expect(left()).toEqual([1, 1, 1, 1, 1, 1]);
  storage.spheres.remove(sphere.id);
  expect(left()).toEqual([0, 0, 0, 0, 0, 0]);
});

test('what items have in common is read once for all of them', () => {
  storage.spheres.put(sphere);
  const limits = [item.limits, item.limits, { up: 1, down: 2 }];
  for (const [digit, own] of limits.entries()) {
    storage.items.put({ ...item, itemId: parseItemId(`${digit}`.repeat(64)), limits: own });
  }
  const read = storage.items.list(sphere.id).map((row) => row.limits);
  expect([read, read[0] === read[1]]).toEqual([limits, true]);
});

test('an event is kept once, and listed in the order of the log', () => {
  storage.spheres.put(sphere);
  const other = parseDeviceKey('0'.repeat(64));
  const events = [
    { ...event, id: eventIdOf(1), lamport: 2, sequence: 2 },
    { ...event, id: eventIdOf(2), lamport: 1, sequence: 1, type: 'genesis' },
    { ...event, id: eventIdOf(3), lamport: 2, sequence: 7, device: other },
  ];
  expect(events.map((each) => storage.events.add(each))).toEqual([true, true, true]);
  expect(storage.events.add({ ...event, id: eventIdOf(1), bytes: Uint8Array.of(0) })).toBe(false);
  expect(storage.events.list(sphere.id)).toEqual([events[1], events[2], events[0]]);
  expect(storage.events.has(eventIdOf(9))).toBe(false);
  expect(storage.events.get(eventIdOf(1))).toEqual(events[0]);
  expect(storage.events.remove(eventIdOf(1))).toBe(true);
});

test('an event of an unknown sphere is refused instead of forgotten', () => {
  expect(() => storage.events.add(event)).toThrow(expect.objectContaining({ code: 'conflict' }));
});

test('attachments belong to their event', () => {
  storage.spheres.put(sphere);
  storage.events.add(event);
  storage.attachments.put(attachment);
  storage.attachments.put({ ...attachment, bytes: Uint8Array.of(2) });
  expect(storage.attachments.get(event.id, 'preview')).toEqual(Uint8Array.of(2));
  expect([storage.attachments.has(event.id, 'preview'), storage.attachments.has(event.id, 'key')]).toEqual([
    true,
    false,
  ]);
  expect(storage.attachments.remove(event.id, 'preview')).toBe(true);
  expect(storage.attachments.list(event.id)).toEqual([]);
});

test('epochs are listed newest first', () => {
  storage.spheres.put(sphere);
  const next = { ...epoch, epochId: 'd'.repeat(64), number: 2, key: new Uint8Array(32).fill(3) };
  storage.epochs.put(epoch);
  storage.epochs.put(next);
  expect(storage.epochs.list(sphere.id)).toEqual([next, epoch]);
  expect(storage.epochs.get(sphere.id, epoch.epochId)).toEqual(epoch);
  expect(storage.epochs.remove(sphere.id, next.epochId)).toBe(true);
});

test('the outbox is first in, first out, and never uses a number again', () => {
  storage.spheres.put(sphere);
  const first = storage.outbox.add(outboxEntry);
  const second = storage.outbox.add({ ...outboxEntry, sphereId: null, line: null, to: ben });
  const queued = [
    { ...outboxEntry, id: first },
    { ...outboxEntry, id: second, sphereId: null, line: null, to: ben },
  ];
  expect(storage.outbox.list('queued')).toEqual(queued);
  expect(storage.outbox.byEvent(event.id)).toEqual(queued);
  expect(storage.outbox.update(first, { attempts: 1 })).toBe(true);
  expect(storage.outbox.list('queued')[0]?.attempts).toBe(1);
  expect(storage.outbox.remove(first)).toBe(true);
  expect(storage.outbox.remove(second)).toBe(true);
  expect(storage.outbox.list('queued')).toEqual([]);
  expect(storage.outbox.add(outboxEntry)).toBeGreaterThan(second);
});

test('shares that were begun are kept in their order, with what was hashed of them', () => {
  using storage = folder.open();
  storage.spheres.put(sphere);
  const job = {
    id: 'b',
    sphereId: sphere.id,
    path: '/films/beach.mp4',
    plain: false,
    link: null,
    draft: null,
    pieces: new Uint8Array(),
    replaces: null,
    begunAtMs: 5,
  };
  storage.shareJobs.put(job);
  storage.shareJobs.put({ ...job, id: 'a' });
  const more = { draft: Uint8Array.of(1, 2), pieces: new Uint8Array(20), link: '/family/beach.mp4' };
  expect(storage.shareJobs.update('b', more)).toBe(true);
  expect(storage.shareJobs.list()).toEqual([
    { ...job, ...more },
    { ...job, id: 'a' },
  ]);
  expect(storage.shareJobs.remove('b')).toBe(true);
  expect(storage.shareJobs.get('b')).toBeUndefined();
});

test('items keep layout, bitfield and sizes beyond 32 bits', () => {
  storage.spheres.put(sphere);
  storage.items.put(item);
  expect(storage.items.get(item.itemId)).toEqual(item);
  expect(storage.items.byInfoHash(item.infoHash)).toEqual([item]);
  storage.items.update(item.itemId, { bitfield: Uint8Array.of(0xff), bytesHave: 5, paused: true, state: 'paused' });
  const changed = { ...item, bitfield: Uint8Array.of(0xff), bytesHave: 5, paused: true, state: 'paused' };
  expect(storage.items.list(sphere.id)).toEqual([changed]);
  const bare = { ...item, itemId: parseItemId('0'.repeat(64)), layout: null, path: null, bitfield: null };
  storage.items.put(bare);
  expect(storage.items.listAll()).toEqual([bare, changed]);
  expect([...storage.items.states()]).toEqual(
    expect.arrayContaining([bare, changed].map((row) => [row.itemId, row.state])),
  );
  storage.items.update(bare.itemId, { removedAtMs: 1 });
  expect(storage.items.listWanted()).toEqual([changed]);
  storage.items.update(item.itemId, { wanted: false });
  expect(storage.items.listWanted()).toEqual([]);
  expect(storage.items.remove(item.itemId)).toBe(true);
});

test('messages are paged in both directions and kept once', () => {
  storage.spheres.put(sphere);
  const orders = [1, 2, 3, 4, 5].map((number) =>
    storage.messages.add({ ...message, id: eventIdOf(number), atMs: number, from: number === 5 ? ana : ben }),
  );
  expect(storage.messages.add({ ...message, id: eventIdOf(3) })).toBeUndefined();
  const ids = (rows: readonly { id: string }[]): number[] => rows.map(({ id }) => numberOf(id));
  expect(ids(storage.messages.newest(sphere.id, 2))).toEqual([4, 5]);
  const rowOf = (number: number) => storage.messages.get(eventIdOf(number)) ?? { place: 0, lamport: 0, order: 0 };
  expect(ids(storage.messages.after(sphere.id, rowOf(2), 2))).toEqual([3, 4]);
  expect(ids(storage.messages.before(sphere.id, rowOf(4), 2))).toEqual([2, 3]);
  expect(storage.messages.countUnread(sphere, ana)).toBe(4);
  storage.messages.update(eventIdOf(1), { state: 'forged' });
  expect(storage.messages.get(eventIdOf(1))).toEqual({
    ...message,
    id: eventIdOf(1),
    atMs: 1,
    state: 'forged',
    order: orders[0],
    place: orders[0],
  });
  expect(storage.messages.remove(eventIdOf(1))).toBe(true);
});

test('a line is shown in the middle of those around it, and arrivals are read back from the newest', () => {
  storage.spheres.put(sphere);
  const ids = Array.from({ length: 9 }, (_, index) => eventIdOf(index));
  for (const [index, id] of ids.entries()) storage.messages.add({ ...message, id, text: `n${index}` });
  const around = (id: number): string[] => {
    const row = storage.messages.get(ids[id] ?? message.id);
    return row === undefined ? [] : storage.messages.around(sphere.id, row, 4).map(({ text }) => text);
  };
  expect([around(4), around(0), around(8)]).toEqual([
    ['n2', 'n3', 'n4', 'n5'],
    ['n0', 'n1', 'n2', 'n3'],
    ['n6', 'n7', 'n8'],
  ]);
  const newest = storage.messages.arrivedBefore(Number.MAX_SAFE_INTEGER, 2);
  expect(newest.map(({ text }) => text)).toEqual(['n8', 'n7']);
  expect(storage.messages.arrivedBefore(newest[1]?.order ?? 0, 2).map(({ text }) => text)).toEqual(['n6', 'n5']);
});

test('the newest line stands last, one that is told again later stands where it belongs', () => {
  storage.spheres.put(sphere);
  const add = (number: number, lamport: number, isToldAgain: boolean): unknown =>
    storage.messages.add({ ...message, id: eventIdOf(number), lamport }, isToldAgain);
  add(1, 50, false);
  // Written without a connection and sent only now: low in time, and new all the same.
  add(2, 20, false);
  for (const lamport of [3, 7, 30, 60]) add(lamport, lamport, true);
  // A guest's line has no Lamport time.
  add(4, 0, false);
  add(9, 40, true);
  const rows = storage.messages.newest(sphere.id, 20);
  expect(rows.map(({ id }) => numberOf(id))).toEqual([3, 7, 30, 9, 1, 2, 60, 4]);
  for (const [index, row] of rows.entries()) {
    expect(storage.messages.before(sphere.id, row, 20)).toEqual(rows.slice(0, index));
    expect(storage.messages.after(sphere.id, row, 20)).toEqual(rows.slice(index + 1));
  }
});

test('what the person has seen here or elsewhere is not unread, line by line', () => {
  storage.spheres.put(sphere);
  for (const [number, kind] of (['text', 'item', 'text', 'text'] as const).entries()) {
    storage.events.add({ ...event, id: eventIdOf(number), sequence: number });
    storage.messages.add({ ...message, id: eventIdOf(number), kind });
  }
  expect(storage.messages.firstUnread(sphere.id)).toEqual(new Map([[event.device, 0]]));
  expect(storage.messages.markRead(sphere.id, 'item')).toBe(1);
  expect(storage.messages.markReadUpTo(sphere.id, event.device, 1)).toBe(1);
  expect(storage.messages.countUnread(sphere, ana)).toBe(2);
  expect(storage.messages.firstUnread(sphere.id)).toEqual(new Map([[event.device, 2]]));
  expect(storage.messages.markRead(sphere.id, null)).toBe(2);
  expect(storage.messages.firstUnread(sphere.id)).toEqual(new Map());
});

test('how far a device has what we said is kept once per device of ours', () => {
  storage.spheres.put(sphere);
  const mark = { sphereId: sphere.id, author: identity.device, device: event.device, sequence: 3 };
  storage.reached.put(mark);
  storage.reached.put({ ...mark, sequence: 8 });
  expect(storage.reached.list(sphere.id)).toEqual([{ ...mark, sequence: 8 }]);
});

test('what was said before we joined is not unread, whatever its author’s clock says', () => {
  storage.spheres.put(sphere);
  const add = (number: number, lamport: number, atMs: number): unknown =>
    storage.messages.add({ ...message, id: eventIdOf(number), lamport, atMs, from: ben });
  add(1, 4, Number.MAX_SAFE_INTEGER);
  add(2, 5, 0);
  // A line of an ordinary client has no Lamport time.
  add(3, 0, 0);
  expect(storage.messages.countUnread({ ...sphere, joinedLamport: 4 }, ana)).toBe(2);
});

test('holders of an item are kept once each and go with it', () => {
  storage.spheres.put(sphere);
  storage.items.put(item);
  expect(storage.holders.add(item.itemId, identity.device)).toBe(true);
  expect(storage.holders.add(item.itemId, identity.device)).toBe(false);
  expect(storage.holders.list(item.itemId)).toEqual([identity.device]);
  expect([...storage.holders.bySphere(sphere.id)]).toEqual([[item.itemId, [identity.device]]]);
  storage.items.remove(item.itemId);
  expect(storage.holders.list(item.itemId)).toEqual([]);
});

test('a welcome is remembered for as long as the answer it followed', () => {
  storage.spheres.put(sphere);
  storage.events.add(event);
  storage.welcomes.add(event.id);
  storage.welcomes.add(event.id);
  expect(storage.welcomes.has(event.id)).toBe(true);
  storage.events.remove(event.id);
  expect(storage.welcomes.has(event.id)).toBe(false);
});

test('invitations need no sphere and are listed by state', () => {
  storage.invitations.put(invitation);
  expect(storage.invitations.list('open')).toEqual([invitation]);
  expect(storage.invitations.bySphere(invitation.sphereId)).toEqual([invitation]);
  storage.invitations.update(invitation.id, { state: 'declined' });
  expect(storage.invitations.list('open')).toEqual([]);
  expect(storage.invitations.get(invitation.id)?.state).toBe('declined');
  expect(storage.invitations.remove(invitation.id)).toBe(true);
});

test('what was seen is seen once per scope, until it is pruned', () => {
  expect(storage.seen.add('room', 'x', 10)).toBe(true);
  expect(storage.seen.add('room', 'x', 20)).toBe(false);
  expect(storage.seen.add('keys', 'x', 20)).toBe(true);
  expect(storage.seen.prune(15)).toBe(1);
  expect([storage.seen.has('room', 'x'), storage.seen.has('keys', 'x')]).toEqual([false, true]);
});

test('a portrait goes along to another address, and what we call ourselves stays with the account', () => {
  const { portraits } = storage;
  const image = Uint8Array.of(1, 2, 3);
  portraits.put({ jid: ana, id: 'a'.repeat(40), image });
  portraits.move(ana, ben);
  expect(portraits.list()).toEqual([{ jid: ben, id: 'a'.repeat(40) }]);
  expect(portraits.image('a'.repeat(40))).toEqual(image);
  expect([portraits.idOf(ana), portraits.remove(ben), portraits.remove(ben)]).toEqual([undefined, true, false]);
  storage.account.put(account);
  storage.account.setNick('Ana');
  storage.account.put({ ...account, password: 'changed' });
  expect(storage.account.nick).toBe('Ana');
  storage.account.put({ ...account, jid: ben });
  expect(storage.account.nick).toBeNull();
});
