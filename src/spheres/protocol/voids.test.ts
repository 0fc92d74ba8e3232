import { expect, test } from 'vitest';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import type { Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import { admit, foundWorld, settle } from '../../../test/fixtures/protocol/sphere-world.ts';
import { parseBareJid } from '../../base/id.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import type { LastAccepted } from './event-body.ts';
import { buildEvent } from './event.ts';
import { foldMembership } from './fold-membership.ts';
import { Followers } from './followers.ts';
import { LogOrder } from './log-order.ts';
import { SUCCESSION_MS } from './ownership.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const zoe = createPerson('zoe');

const membersOf = ({ log }: Writer) =>
  [...log.state().members.values()].map(({ jid, role, state }) => `${jid.slice(0, 3)} ${role} ${state}`);
const verdict = ({ log }: Writer, { id }: Pick<SignedEvent, 'id'>) => {
  const found = log.verdict(id);
  return found?.kind === 'refused' ? found.reason : found?.kind;
};

/** Ana owns the sphere, Ben is the only admin, and Zoe is a member. */
function family() {
  const { owner } = foundWorld(ana);
  const admin = admit(owner, ben, 'admin');
  const member = admit(owner, zoe);
  settle(owner, admin, member);
  return { owner, admin, member };
}

/** Takes the sphere with nobody's vote but their own, by a line through the owner's events of their choice. */
function takeOver(heir: Writer, lastAccepted: LastAccepted): KnownEvent<'succeed'> {
  const vote = heir.vote(heir.who);
  const wallMs = vote.header.wallMs + SUCCESSION_MS;
  return heir.log.append(heir.who.author, wallMs, 'succeed', { votes: [vote.id as string], lastAccepted });
}

test('an admin who takes the sphere by a line that takes away their own admission does not take everybody’s away', () => {
  const { owner, admin, member } = family();
  const before = membersOf(owner);
  const taken = takeOver(admin, []);
  settle(owner, admin, member);
  expect(verdict(owner, taken)).toBe('not-a-member');
  expect(membersOf(owner)).toEqual(before);
  owner.object();
  expect(membersOf(owner)).toEqual(before);
});

test('what a succession had voided of the owner’s counts again once the owner objects', () => {
  const { owner, admin, member } = family();
  const line = admin.log.lastAccepted(ana.author.person);
  const removal = owner.remove(zoe.jid);
  settle(owner, admin);
  const taken = takeOver(admin, line);
  settle(owner, admin, member);
  expect([taken, removal].map((event) => verdict(owner, event))).toEqual(['accepted', 'not-allowed']);
  owner.object();
  expect([taken, removal].map((event) => verdict(owner, event))).toEqual(['overruled', 'accepted']);
  expect(membersOf(owner)).toEqual(['ana owner joined', 'ben admin joined', 'zoe member removed']);
});

test('a move that a removal had voided counts again once the owner’s decision voids the removal', () => {
  const { owner, admin, member } = family();
  const moved = member.moveTo(createPerson('zoe', { jid: 'zoe@new.example' }));
  for (let word = 0; word < 4; word += 1) admin.say('meanwhile');
  const removal = admin.remove(zoe.jid);
  for (let word = 0; word < 8; word += 1) owner.say('meanwhile');
  const role = owner.setRole(zoe.jid, 'viewer');
  settle(owner, admin, member);
  const verdicts = [moved, removal, role].map((event) => verdict(owner, event));
  expect(verdicts).toEqual(['accepted', 'overruled', 'accepted']);
  expect(owner.log.state().members.get(parseBareJid('zoe@new.example'))).toMatchObject({
    role: 'viewer',
    state: 'joined',
  });
});

/** Successions one after the other, by the same vote and line; nobody has looked at any in between. */
function takeOverAndOver(heir: Writer, count: number, lastAccepted: LastAccepted): SignedEvent[] {
  const { author } = heir.who;
  const vote = heir.vote(heir.who);
  const wallMs = vote.header.wallMs + SUCCESSION_MS;
  const taken: SignedEvent[] = [];
  for (let header = heir.log.nextHeader(author.device.id, wallMs); taken.length < count;) {
    const event = buildEvent(author, header, 'succeed', { votes: [vote.id as string], lastAccepted });
    taken.push(event as SignedEvent);
    header = { ...header, sequence: header.sequence + 1, previous: event.id, lamport: header.lamport + 1 };
  }
  return taken;
}

/** How often everything is folded until it is settled. */
function foldsOf(sphereId: Writer['log']['sphereId'], events: readonly SignedEvent[]): number {
  const byId = new Map(events.map((event) => [event.id, event]));
  const certificates = events.filter(({ type }) => type === 'device').length;
  let asked = 0;
  const isCertified = (): boolean => {
    asked += 1;
    return true;
  };
  const order = new LogOrder(sphereId, byId);
  foldMembership({ sphereId, order, followers: new Followers(order.ordered), byId, isCertified });
  return asked / certificates;
}

test('however often somebody takes the sphere in a way that defeats itself, everything is folded a few times only', () => {
  const { owner, admin, member } = family();
  const before = membersOf(owner);
  const taken = takeOverAndOver(admin, 300, []);
  expect(foldsOf(owner.log.sphereId, [...admin.log.events(), ...taken])).toBeLessThan(20);
  owner.log.addAll([...admin.log.events(), ...taken]);
  expect(membersOf(owner)).toEqual(before);
  settle(owner, admin, member);
  expect(new Set(taken.map((event) => verdict(member, event)))).toEqual(new Set(['not-a-member', 'overruled']));
});

test('however many successions one objection voids, everything is folded a few times only', () => {
  const { owner, admin } = family();
  const taken = takeOverAndOver(admin, 300, admin.log.lastAccepted(ana.author.person));
  owner.log.addAll([...admin.log.events(), ...taken]);
  expect(membersOf(owner)[0]).toBe('ana member joined');
  owner.object();
  expect(foldsOf(owner.log.sphereId, owner.log.events())).toBeLessThan(10);
  expect(membersOf(owner)).toEqual(['ana owner joined', 'ben admin joined', 'zoe member joined']);
  expect(new Set(taken.map((event) => verdict(owner, event)))).toEqual(new Set(['overruled']));
});

test('who has once taken the sphere in a way that defeats itself may take it again', () => {
  const { owner, admin, member } = family();
  const line = admin.log.lastAccepted(ana.author.person);
  const [failed, taken] = [takeOver(admin, []), takeOver(admin, line)];
  settle(owner, admin, member);
  expect([failed, taken].map((event) => verdict(owner, event))).toEqual(['not-a-member', 'accepted']);
  expect(membersOf(owner)).toEqual(['ana member joined', 'ben owner joined', 'zoe member joined']);
});
