import { expect, test } from 'vitest';
import { createPerson, isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import type { EventId } from '../../base/id.ts';
import { SphereLog } from './sphere-log.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const eve = createPerson('eve');
const zoe = createPerson('zoe');

const rolesIn = ({ log }: Writer) =>
  Object.fromEntries([...log.state().members.values()].map(({ jid, role }) => [jid.slice(0, 3), role]));
const verdict = ({ log }: Writer, { id }: { id: EventId }) => {
  const found = log.verdict(id);
  return found?.kind === 'refused' ? found.reason : found?.kind;
};

/** Ana owns the sphere, Ben and Eve are admins, Zoe is a member. */
function family() {
  const { owner } = foundWorld(ana);
  const [first, second] = [admit(owner, ben, 'admin'), admit(owner, eve, 'admin')];
  const member = admit(owner, zoe);
  settle(owner, first, second, member);
  return { owner, first, second, member, all: [owner, first, second, member] };
}

test('a sphere goes to whom its owner offers it once they take it, and the old owner stays as an admin', () => {
  const { owner, member, all } = family();
  owner.handOver(zoe);
  settle(...all);
  expect(rolesIn(owner)).toMatchObject({ ana: 'owner', zoe: 'member' });
  const taken = member.accept();
  settle(...all);
  expect(verdict(owner, taken)).toBe('accepted');
  expect(rolesIn(owner)).toEqual({ ana: 'admin', ben: 'admin', eve: 'admin', zoe: 'owner' });
  const removal = member.remove(ana.jid);
  expect(verdict(member, removal)).toBe('accepted');
});

test('nobody takes what was offered to somebody else, was taken back, or was not the owner’s to offer', () => {
  const { owner, first, second, member, all } = family();
  first.handOver(eve);
  settle(...all);
  expect(verdict(owner, second.accept())).toBe(undefined);
  owner.handOver(zoe);
  settle(...all);
  const thief = second.accept();
  owner.handOver(null);
  settle(...all);
  const late = member.accept();
  settle(...all);
  expect([thief, late].map((event) => verdict(owner, event))).toEqual(['not-invited', 'not-invited']);
  expect(rolesIn(owner)).toMatchObject({ ana: 'owner' });
});

test('what the old owner decides after the handover and without seeing it counts as an admin’s word', () => {
  const { owner, first, member, all } = family();
  owner.handOver(zoe);
  member.receive(owner);
  member.accept();
  const [admins, guests] = [owner.setRole(ben.jid, 'viewer'), owner.invite(createPerson('kim').jid).invite];
  settle(...all);
  expect([admins, guests].map((event) => verdict(first, event))).toEqual(['not-allowed', 'accepted']);
  expect(rolesIn(first)).toMatchObject({ ana: 'admin', ben: 'admin', zoe: 'owner' });
});

test('with the owner gone, whom a majority of admins names has the sphere seven days later', () => {
  const { owner, first, second, member, all } = family();
  first.vote(ben);
  second.vote(ben);
  settle(first, second, member);
  const taken = first.succeed(7);
  settle(...all);
  expect(verdict(owner, taken)).toBe('accepted');
  expect(rolesIn(owner)).toEqual({ ana: 'member', ben: 'owner', eve: 'admin', zoe: 'member' });
});

test('a succession by too few, by votes of members, or for somebody else is refused', () => {
  const { first, second, member, all } = family();
  first.vote(ben);
  member.vote(ben);
  settle(...all);
  const lonely = first.succeed(30);
  second.vote(ben);
  settle(...all);
  const votes = first.log.ownership.votes(ana.author.person).map(({ id }) => id as string);
  const stolen = second.write('succeed', { votes, lastAccepted: [] });
  settle(...all);
  expect([lonely, stolen].map((event) => verdict(member, event))).toEqual(['unproven', 'unproven']);
  expect(rolesIn(member)).toMatchObject({ ana: 'owner' });
});

test('a succession waits for seven days after the last vote it needs', () => {
  const { first, second, member, all } = family();
  first.vote(ben);
  second.vote(ben);
  settle(...all);
  const early = first.succeed(6);
  settle(...all);
  expect(verdict(member, early)).toBe('unproven');
  const ripe = first.succeed(1);
  settle(...all);
  expect(verdict(member, ripe)).toBe('accepted');
});

test('an owner who objects keeps the sphere, before it is taken and after', () => {
  const { owner, first, second, all } = family();
  first.vote(ben);
  second.vote(ben);
  settle(...all);
  owner.object();
  settle(...all);
  expect(first.log.ownership.votes(ana.author.person)).toEqual([]);
  for (const writer of [first, second]) writer.vote(ben);
  settle(first, second);
  const taken = first.succeed(8);
  const demotion = first.setRole(eve.jid, 'viewer');
  expect(verdict(first, demotion)).toBe('accepted');
  settle(...all);
  expect(rolesIn(owner)).toMatchObject({ ana: 'member', ben: 'owner', eve: 'viewer' });
  const word = owner.object();
  settle(...all);
  expect(verdict(first, word)).toBe('accepted');
  expect([taken, demotion].map((event) => verdict(first, event))).toEqual(['overruled', 'not-allowed']);
  expect(rolesIn(first)).toEqual({ ana: 'owner', ben: 'admin', eve: 'admin', zoe: 'member' });
});

test('nobody but the owner can object', () => {
  const { first, second, member, all } = family();
  first.vote(ben);
  second.vote(ben);
  settle(...all);
  const word = member.object();
  settle(...all);
  const taken = first.succeed(8);
  settle(...all);
  expect([word, taken].map((event) => verdict(second, event))).toEqual(['not-allowed', 'accepted']);
});

test('the vote of somebody who was removed without knowing of it counts no more, also when they come back', () => {
  const { owner, first, second, member, all } = family();
  owner.say('makes the removal later than the vote');
  owner.remove(ben.jid);
  const vote = first.vote(eve);
  settle(...all);
  expect(verdict(owner, vote)).toBe('removed');
  expect(second.log.ownership.votes(ana.author.person)).toEqual([]);
  expect(member.log.state().members.get(ben.jid)?.state).toBe('removed');
});

/** The same person on another computer, who knows what `writer` knows. */
function secondComputer(writer: Writer, name: string): Writer {
  const other = new Writer(createPerson(name, { device: 'tablet' }), writer.log.sphereId);
  other.receive(writer);
  other.certify();
  writer.receive(other);
  return other;
}

const statesIn = ({ log }: Writer) =>
  Object.fromEntries([...log.state().members.values()].map(({ jid, state }) => [jid.slice(0, 3), state]));

test('who takes the sphere on one computer and leaves it on another, not knowing of that, owns it and is still there', () => {
  const { owner, member, all } = family();
  const tablet = secondComputer(member, 'zoe');
  settle(...all, tablet);
  owner.handOver(zoe);
  settle(...all, tablet);
  tablet.say('makes the leave later than the accept');
  const [taken, left] = [member.accept(), tablet.write('leave', {})];
  settle(...all, tablet);
  expect([taken, left].map((event) => verdict(owner, event))).toEqual(['accepted', 'not-allowed']);
  expect([rolesIn(owner), statesIn(owner)]).toMatchObject([{ ana: 'admin', zoe: 'owner' }, { zoe: 'joined' }]);
});

test('who leaves a sphere before their other computer takes it is gone, and its owner keeps it', () => {
  const { owner, member, all } = family();
  const tablet = secondComputer(member, 'zoe');
  settle(...all, tablet);
  owner.handOver(zoe);
  settle(...all, tablet);
  member.say('makes the accept later than the leave');
  const [taken, left] = [member.accept(), tablet.write('leave', {})];
  settle(...all, tablet);
  expect([taken, left].map((event) => verdict(owner, event))).toEqual(['not-a-member', 'accepted']);
  expect([rolesIn(owner), statesIn(owner)]).toMatchObject([{ ana: 'owner' }, { ana: 'joined', zoe: 'left' }]);
});

test('an admin who follows an owner and leaves on another computer, not knowing of that, owns the sphere', () => {
  const { first, second, all } = family();
  const tablet = secondComputer(first, 'ben');
  for (const writer of [first, second]) writer.vote(ben);
  settle(...all, tablet);
  tablet.say('makes the leave later than the succession');
  const [taken, left] = [first.succeed(7), tablet.write('leave', {})];
  settle(...all, tablet);
  expect([taken, left].map((event) => verdict(second, event))).toEqual(['accepted', 'not-allowed']);
  expect(rolesIn(second)).toMatchObject({ ana: 'member', ben: 'owner' });
});

test('a sphere that a device took which its person had ended before goes back to who owned it', () => {
  const { owner, member, all } = family();
  const tablet = secondComputer(member, 'zoe');
  settle(...all, tablet);
  owner.handOver(zoe);
  settle(...all, tablet);
  tablet.say('makes the end later than the accept');
  const [taken, end] = [member.accept(), tablet.endDevice(member)];
  settle(...all, tablet);
  expect([taken, end].map((event) => verdict(owner, event))).toEqual(['removed', 'accepted']);
  expect(rolesIn(owner)).toMatchObject({ ana: 'owner', zoe: 'member' });
  const again = tablet.accept();
  expect(verdict(tablet, again)).toBe('accepted');
});

/** Ana has offered the sphere to Zoe, and has another computer that does not know of what comes after. */
function offered() {
  const { owner, first, second, member, all } = family();
  owner.handOver(zoe);
  settle(...all);
  const tablet = secondComputer(owner, 'ana');
  const laptop = secondComputer(member, 'zoe');
  return { owner, first, second, member, all, tablet, laptop };
}

test.each([
  ['takes back the offer', (tablet: Writer) => tablet.handOver(null)],
  ['removes who took it', (tablet: Writer) => tablet.remove(zoe.jid)],
  ['offers it to somebody else', (tablet: Writer) => tablet.handOver(ben)],
])(
  'whoever has handed over a sphere, and knows that it was taken, does not undo it when a computer of theirs %s by an older date',
  (_, undo) => {
    const { owner, first, member, all, tablet } = offered();
    const undone = undo(tablet);
    for (let word = 0; word < 4; word += 1) member.say('meanwhile');
    const taken = member.accept();
    settle(...all);
    owner.say('knows of it');
    settle(...all, tablet);
    for (const writer of [...all, tablet]) {
      expect([taken, undone].map((event) => verdict(writer, event))).toEqual(['accepted', 'not-allowed']);
    }
    expect([rolesIn(first), statesIn(first)]).toMatchObject([{ ana: 'admin', zoe: 'owner' }, { zoe: 'joined' }]);
  },
);

test('that the old owner knew counts as soon as their word comes, as if it had been there from the beginning', () => {
  const { owner, member, all, tablet } = offered();
  const undone = tablet.handOver(null);
  for (let word = 0; word < 4; word += 1) member.say('meanwhile');
  const taken = member.accept();
  settle(...all);
  const word = owner.say('knows of it');
  settle(...all, tablet);
  const log = new SphereLog({ sphereId: owner.log.sphereId, isDeviceProven });
  log.addAll(owner.log.events().filter(({ id }) => id !== word.id));
  expect([taken, undone].map(({ id }) => log.verdict(id)?.kind)).toEqual(['refused', 'accepted']);
  log.add(word);
  expect([taken, undone].map(({ id }) => log.verdict(id)?.kind)).toEqual(['accepted', 'refused']);
});

test.each([
  ['has taken back the offer', (owner: Writer) => owner.handOver(null)],
  ['has removed them', (owner: Writer) => owner.remove(zoe.jid)],
])('nobody takes a sphere by an older date when its owner %s and knew of nothing', (_, refuse) => {
  const { owner, first, all, laptop } = offered();
  for (let word = 0; word < 4; word += 1) owner.say('meanwhile');
  const refusal = refuse(owner);
  settle(...all);
  const taken = laptop.accept();
  settle(...all, laptop);
  for (const writer of [...all, laptop]) {
    expect([taken, refusal].map((event) => verdict(writer, event))).toEqual(['overruled', 'accepted']);
  }
  owner.say('is still the owner');
  settle(...all, laptop);
  expect(rolesIn(first)).toMatchObject({ ana: 'owner' });
});
