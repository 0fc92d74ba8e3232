import { expect, test } from 'vitest';
import { createPerson, isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import { buildEvent } from './event.ts';
import type { SignedEvent } from './event.ts';
import { computeState } from './sphere-log.ts';

const [ana, ben, eve, dan, gil] = ['ana', 'ben', 'eve', 'dan', 'gil'].map((name) => createPerson(name));
const people = { ana, ben, eve, dan, gil } as Record<string, ReturnType<typeof createPerson>>;
const who = (name: string) => people[name] ?? createPerson(name);

/** Ana owns, Ben and Gil are admins, Eve and Dan members. */
function family() {
  const { owner } = foundWorld(who('ana'));
  const admin = admit(owner, who('ben'), 'admin');
  const other = admit(owner, who('gil'), 'admin');
  const [leaver, second] = [admit(owner, who('eve')), admit(owner, who('dan'))];
  settle(owner, admin, other, leaver, second);
  return { owner, admin, other, leaver, second, all: [owner, admin, other, leaver, second] };
}

const begin = (writer: Writer) => {
  const number = Math.max(...writer.log.state().epochs.map((epoch) => epoch.number)) + 1;
  return writer.write('epoch', { number, commitment: 'a'.repeat(64), reason: 'removal' });
};

/** An epoch as older versions wrote it: it names the newest membership event, whatever else there is. */
function beginAsBefore(writer: Writer): void {
  const { author } = writer.who;
  const number = Math.max(...writer.log.state().epochs.map((epoch) => epoch.number)) + 1;
  const header = writer.log.nextHeader(author.device.id, 0);
  const body = { number, commitment: 'b'.repeat(64), reason: 'removal' as const };
  writer.log.add(buildEvent(author, header, 'epoch', body) as SignedEvent);
}

/** Somebody comes in who knows of nothing but what the host knows. */
function joinedLater(host: Writer): Writer {
  for (const text of ['one', 'two', 'three']) host.say(text);
  return admit(host, who('kim'));
}

const isDue = ({ log }: Writer): boolean => log.state().isEpochDue;
const epochsUntilKnown = (writer: Writer): number => {
  let count = 0;
  for (; isDue(writer) && count < 10; count += 1) begin(writer);
  return count;
};

for (const later of ['owner', 'admin'] as const) {
  for (const by of ['owner', 'admin', 'other'] as const) {
    test(`after two removals at the same time, the one of the ${later} behind the other, one by the ${by} makes no epoch due`, () => {
      const world = family();
      const { owner, admin, all } = world;
      for (const text of ['one', 'two']) world[later].say(text);
      owner.remove(who('eve').jid);
      begin(owner);
      admin.remove(who('dan').jid);
      begin(admin);
      settle(owner, admin, world.other);
      expect(isDue(owner)).toBe(true);
      // Who knew of neither can name but one at once.
      expect(epochsUntilKnown(world[by])).toBe(by === 'other' ? 2 : 1);
      settle(...all.slice(0, 3));
      expect(all.slice(0, 3).map(isDue)).toEqual([false, false, false]);
      const everything = { sphereId: owner.log.sphereId, isDeviceProven };
      expect(computeState(everything, owner.log.events().toReversed()).isEpochDue).toBe(false);
    });
  }
}

for (const behind of ['nothing', 'somebody’s join'] as const) {
  test(`a leave that arrives after the epoch for another one makes one more epoch due, wherever it stands, with ${behind} behind both`, () => {
    const { owner, admin, leaver, second } = family();
    const [first, last] = [leaver, second].toSorted((a, b) =>
      a.who.author.device.id < b.who.author.device.id ? -1 : 1,
    );
    first?.write('leave', {});
    last?.write('leave', {});
    if (behind !== 'nothing') settle(owner, admin, joinedLater(admin));
    if (last !== undefined) settle(owner, last);
    const epoch = begin(owner);
    expect([owner.log.verdict(epoch.id), isDue(owner)]).toEqual([{ kind: 'accepted' }, false]);
    if (first !== undefined) settle(owner, first);
    expect(isDue(owner)).toBe(true);
    expect(epochsUntilKnown(owner)).toBe(1);
  });
}

test('an admin who is one only since a moment ago begins an epoch that holds, whatever else it has to name', () => {
  const { owner, other, leaver } = family();
  owner.setRole(who('gil').jid, 'member');
  settle(owner, other, leaver);
  leaver.write('leave', {});
  for (const text of ['one', 'two', 'three']) owner.say(text);
  owner.setRole(who('gil').jid, 'admin');
  settle(owner, other, leaver);
  expect(isDue(other)).toBe(true);
  const epoch = begin(other);
  expect([other.log.verdict(epoch.id), isDue(other)]).toEqual([{ kind: 'accepted' }, false]);
});

test('an admin who was none for a while begins an epoch that holds, though they were one when somebody left', () => {
  const { owner, other, leaver } = family();
  leaver.write('leave', {});
  for (const text of ['one', 'two', 'three']) owner.say(text);
  for (const role of ['member', 'admin'] as const) owner.setRole(who('gil').jid, role);
  settle(owner, other, leaver);
  const epoch = begin(other);
  expect([other.log.verdict(epoch.id), isDue(other)]).toEqual([{ kind: 'accepted' }, false]);
});

test('what was shared without knowing of a removal that stands before it is to be shared again, also behind another one', () => {
  const { owner, admin, other } = family();
  for (const text of ['one', 'two']) owner.say(text);
  admin.remove(who('dan').jid);
  begin(admin);
  owner.remove(who('eve').jid);
  begin(owner);
  const unaware = owner.share('unaware.mp4');
  settle(owner, admin, other);
  epochsUntilKnown(owner);
  settle(owner, admin, other);
  const after = other.share('after.mp4');
  settle(owner, other);
  const needed = [unaware, after].map(({ id }) => owner.log.state().items.get(id as never)?.needsNewKey);
  expect(needed).toEqual([true, false]);
});

for (const type of ['device-end', 'leave'] as const) {
  test(`a ${type} that comes late, or says that it is older than it is, has nothing shared again whose author knew of what stands behind it`, () => {
    const { owner, admin, leaver } = family();
    if (type === 'leave') leaver.write('leave', {});
    else {
      const spare = new Writer(createPerson('eve', { device: 'spare' }), owner.log.sphereId);
      spare.receive(leaver);
      spare.certify();
      leaver.receive(spare);
      leaver.endDevice(spare);
    }
    for (const text of ['one', 'two', 'three', 'four']) owner.say(text);
    const before = owner.share('before.mp4');
    admit(owner, who('kim'));
    const after = owner.share('after.mp4');
    settle(owner, admin, leaver);
    const { items, isEpochDue } = admin.log.state();
    const needed = [before, after].map(({ id }) => items.get(id as never)?.needsNewKey);
    expect([isEpochDue, needed]).toEqual([true, [true, false]]);
  });
}

test('in the log of an older version in which everything is in order no epoch is due and nothing gets a new key', () => {
  const { owner, admin, other, leaver, second } = family();
  // A leave crosses an invitation that stands behind it, and which is all that the epoch for it can name.
  leaver.write('leave', {});
  for (const text of ['one', 'two', 'three']) admin.say(text);
  admin.invite(who('kim').jid);
  settle(owner, admin, other, second);
  owner.receive(leaver);
  beginAsBefore(owner);
  settle(owner, admin, other, second);
  second.share('one.mp4');
  // A removal crosses a line and an invitation; later ones go back to those.
  owner.receive(second);
  owner.remove(who('dan').jid);
  beginAsBefore(owner);
  for (const text of ['four', 'five', 'six']) admin.say(text);
  admin.invite(who('max').jid);
  settle(owner, admin, other);
  other.share('two.mp4');
  admin.remove(who('kim').jid);
  beginAsBefore(admin);
  settle(owner, admin, other);
  other.share('three.mp4');
  settle(owner, admin, other);
  const { isEpochDue, items } = owner.log.state();
  expect(isEpochDue).toBe(false);
  expect([...items.values()].map(({ needsNewKey }) => needsNewKey)).toEqual([false, false, false]);
});
