import { expect, test } from 'vitest';
import { createPerson, isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import { buildAnyEvent, buildEvent } from './event.ts';
import type { SignedEvent } from './event.ts';
import { isAhead } from './gaps.ts';
import { compareEvents } from './log-order.ts';
import { SphereLog } from './sphere-log.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const eve = createPerson('eve');

test('events of unknown and of broken types are kept, passed on and have no effect', () => {
  const { owner } = foundWorld(ana);
  const header = owner.log.nextHeader(ana.author.device.id, 0);
  const future = buildAnyEvent(ana.author, header, 'wallpaper', { colour: 'green' });
  expect(owner.log.add(future)).toBe('new');
  const broken = buildAnyEvent(ana.author, owner.log.nextHeader(ana.author.device.id, 0), 'rename', { name: 5 });
  expect(owner.log.add(broken)).toBe('refused');
  const after = owner.say('goes on');
  expect(owner.log.events().slice(-3)).toEqual([future, broken, after]);
  expect(owner.log.state().refused.get(broken.id)).toBe('malformed');
  expect(owner.log.missing()).toEqual({ ranges: [], ids: [] });
});

test('an event far ahead in Lamport time is held until the others come near', () => {
  const { owner } = foundWorld(ana);
  const header = owner.log.nextHeader(ana.author.device.id, 0);
  const body = { textSha256: '0'.repeat(64), replyTo: null };
  const ahead = buildEvent(
    ana.author,
    { ...header, sequence: 9, previous: header.membership, lamport: header.lamport + 2 ** 20 + 1 },
    'message',
    body,
  );
  expect(owner.log.add(ahead)).toBe('held');
  expect(owner.log.state().nextLamport).toBe(header.lamport);
  owner.say('one step nearer');
  expect(owner.log.verdict(ahead.id)?.kind).not.toBe('held');
});

test('events wait for the genesis, for a missing membership event and for a certificate', () => {
  const { owner, sphereId } = foundWorld(ana);
  const guest = admit(owner, ben);
  const message = guest.say('hello');
  settle(owner, guest);
  const [genesis, ...rest] = owner.log.events();
  const log = new SphereLog({ sphereId, isDeviceProven });
  expect(log.addAll(rest)).toEqual(rest.map(() => 'held'));
  expect(log.missing().ids).toContain(genesis?.id);
  if (genesis !== undefined) log.add(genesis);
  expect(log.state().held.size).toBe(0);
  expect(log.verdict(message.id)).toEqual({ kind: 'accepted' });
});

test('of devices that somebody made up only so many are told of, of those of members past and present all', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  for (let number = 0; number < 40; number += 1) {
    const madeUp = new Writer(createPerson(`nobody${number}`, { device: `device${number}` }), owner.log.sphereId);
    madeUp.receive(owner);
    madeUp.certify();
    owner.receive(madeUp);
  }
  owner.remove(ben.jid);
  const told = new Set(owner.log.tips().map(({ device }) => device));
  expect([told.has(ana.author.device.id), told.has(ben.author.device.id)]).toEqual([true, true]);
  expect(told.size).toBe(2 + 16);
  expect(owner.log.heads().size).toBe(42);
});

test('gaps, tails and branches are found by comparing heads', () => {
  const { owner, sphereId } = foundWorld(ana);
  const texts = ['a', 'b', 'c', 'd'].map((text) => owner.say(text));
  const log = new SphereLog({ sphereId, isDeviceProven });
  log.addAll(owner.log.events().filter((event) => event !== texts[1] && event !== texts[3]));
  const device = ana.author.device.id;
  expect(log.missing().ranges).toEqual([{ device, from: 4, to: 4 }]);
  expect(log.missing(owner.log.tips()).ranges).toEqual([
    { device, from: 4, to: 4 },
    { device, from: 6, to: 6 },
  ]);
  expect(owner.log.select(log.missing(owner.log.tips()))).toEqual([texts[1], texts[3]]);
  expect(isAhead(owner.log.tips(), log.tips())).toBe(true);
  expect(isAhead(log.tips(), owner.log.tips())).toBe(false);
  const [genesis] = owner.log.events();
  const headless = new SphereLog({ sphereId, isDeviceProven });
  headless.addAll(owner.log.events().filter((event) => event !== genesis));
  // Nobody lacks what is not told.
  expect([headless.tips(), isAhead(headless.tips(), [])]).toEqual([[], false]);
  const twin = new Writer(ana, sphereId);
  twin.receive(owner);
  owner.say('left');
  twin.say('right');
  expect(owner.log.missing(twin.log.tips()).ranges).toEqual([{ device, from: 7, to: 7 }]);
});

test('of the branches of one device the furthest is where its line ends, also when a shorter one has the smaller number', () => {
  const { owner, sphereId } = foundWorld(ana);
  const twin = new Writer(ana, sphereId);
  twin.receive(owner);
  // Each word has another number: one of many is smaller than the first of the other branch.
  const going = twin.say('goes on');
  const stopping = Array.from({ length: 64 }, (_, number) => {
    const other = new Writer(ana, sphereId);
    other.receive(owner);
    return other.say(`stops ${number}`);
  }).find(({ id }) => id < going.id);
  if (stopping === undefined) throw new Error('64 numbers in a row were larger');
  const last = twin.say('and on');
  owner.log.addAll([stopping, going, last]);
  const [line] = owner.log.lastAccepted(ana.person.id);
  expect(line).toEqual({ device: ana.author.device.id, sequence: last.header.sequence, hash: last.id });
});

test('an epoch is due when somebody has gone that its author did not know of', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  expect(owner.log.state().isEpochDue).toBe(false);
  guest.write('leave', {});
  settle(owner, guest);
  expect(owner.log.state().isEpochDue).toBe(true);
  owner.startEpoch();
  expect(owner.log.state()).toMatchObject({ isEpochDue: false, currentEpoch: { number: 1 } });
});

test('of two epochs at the same time the owner’s holds, and none skips ahead', () => {
  const { owner } = foundWorld(ana);
  const admin = admit(owner, eve, 'admin');
  settle(owner, admin);
  admin.startEpoch();
  const owners = owner.startEpoch();
  const skip = owner.write('epoch', { number: 9, commitment: 'a'.repeat(64), reason: 'renewal' });
  settle(owner, admin);
  expect(admin.log.state().currentEpoch?.id).toBe(owners.id);
  expect(admin.log.state().epochs.map((epoch) => epoch.number)).toEqual([0, 1, 1]);
  expect(admin.log.verdict(skip.id)).toEqual({ kind: 'refused', reason: 'wrong-epoch' });
});

test('an item of somebody who did not know of a removal is to be shared again under a new key', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const leaver = admit(owner, eve);
  settle(owner, guest, leaver);
  const old = guest.share('before.mp4');
  settle(owner, guest);
  owner.remove(eve.jid);
  guest.say('later');
  guest.say('still later');
  const unaware = guest.share('unaware.mp4');
  settle(owner, guest);
  const items = owner.log.state().items;
  expect([...items.values()].map(({ id, needsNewKey }) => [id, needsNewKey])).toEqual([
    [old.id, false],
    [unaware.id, true],
  ]);
});

/** Ana has said a lot, then Ben much more without hearing from Eve. How often is looked at each of their lines when she is heard? */
function hearLate(evesLines: number) {
  const { owner } = foundWorld(ana);
  const [second, third] = [admit(owner, ben), admit(owner, eve)];
  for (let number = 0; number < 1_000; number += 1) owner.say(`ana ${number}`);
  settle(owner, second, third);
  const late = Array.from({ length: evesLines }, (_none, number) => third.say(`eve ${number}`) as SignedEvent);
  for (let number = 0; number < 300; number += 1) second.say(`ben ${number}`);
  const { log } = second;
  const order = log.events();
  const looks = new Map<number, number>();
  for (const [index, event] of order.entries()) {
    const { header } = event;
    const get = (): typeof header => {
      looks.set(index, (looks.get(index) ?? 0) + 1);
      return header;
    };
    Object.defineProperty(event, 'header', { get });
  }
  log.state();
  looks.clear();
  log.addAll(late);
  log.state();
  const [early = 0, last = 0] = [looks.get(100), looks.get(order.length - 1)];
  return { early, last, events: log.events() };
}

test('a line that was said before hundreds that are here is put in its place without a look at all of the past', () => {
  const { early, last, events } = hearLate(1);
  expect([early, last > 0]).toEqual([0, true]);
  expect(events).toEqual(events.toSorted(compareEvents));
});

test('of many such lines at once each costs little: the past is looked at once', () => {
  const { early, last, events } = hearLate(50);
  expect(early).toBeGreaterThan(0);
  expect(last).toBeLessThan(60);
  expect(events).toEqual(events.toSorted(compareEvents));
});

test('an event of another sphere is refused and not kept', () => {
  const { owner } = foundWorld(ana);
  const elsewhere = foundWorld(ben).owner.say('wrong door');
  expect(owner.log.add(elsewhere)).toBe('refused');
  expect(owner.log.has(elsewhere.id)).toBe(false);
});
