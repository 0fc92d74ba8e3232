import { expect, test } from 'vitest';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import type { EventId } from '../../base/id.ts';
import { buildEvent } from './event.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const eve = createPerson('eve');

function membersOf(writer: Writer) {
  return [...writer.log.state().members.values()].map(({ jid, role, state }) => `${jid} ${role} ${state}`);
}

test('a founded sphere has its owner, name, room and first epoch', () => {
  const { owner } = foundWorld(ana);
  const state = owner.log.state();
  expect(state).toMatchObject({ name: 'Family', isEpochDue: false, currentEpoch: { number: 0 } });
  expect(state.genesis).toMatchObject({ room: 'k3v9xq@rooms.example.org', owner: ana.person.id });
  expect(membersOf(owner)).toEqual(['ana@example.org owner joined']);
  expect([...state.devices.values()]).toMatchObject([{ person: ana.person.id, jid: ana.jid, vouched: [] }]);
});

test('an invited person joins with a certified device and can write and share', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const message = guest.say('hello');
  const item = guest.share('beach.mp4');
  settle(owner, guest);
  expect(membersOf(owner)).toEqual(['ana@example.org owner joined', 'ben@example.org member joined']);
  expect(owner.log.state().devices.get(ben.author.device.id)?.jid).toBe(ben.jid);
  expect(owner.log.verdict(message.id)).toEqual({ kind: 'accepted' });
  expect([...owner.log.state().items.values()]).toMatchObject([{ id: item.id, jid: ben.jid, needsNewKey: false }]);
  expect(owner.log.state().timeline.map((entry) => entry.kind)).toEqual([
    'membership',
    'membership',
    'membership',
    'message',
    'item',
  ]);
});

test('a declined invitation leaves no member behind and cannot be answered again', () => {
  const { owner } = foundWorld(ana);
  const { invite, secret } = owner.invite(ben.jid);
  const guest = new Writer(ben, owner.log.sphereId);
  guest.receive(owner);
  guest.answer('decline', invite, secret);
  guest.certify();
  const join = guest.answer('join', invite, secret);
  settle(owner, guest);
  expect(owner.log.state().members.get(ben.jid)?.state).toBe('left');
  expect(owner.log.verdict(join.id)).toEqual({ kind: 'refused', reason: 'not-invited' });
});

test('a member who sees the invitation of somebody else cannot answer it', () => {
  const { owner } = foundWorld(ana);
  const member = admit(owner, ben);
  const { invite } = owner.invite(eve.jid);
  settle(owner, member);
  const thief = new Writer(createPerson('ben', { device: 'as eve', jid: 'eve@example.org' }), owner.log.sphereId);
  thief.receive(owner);
  thief.certify();
  const join = thief.answer('join', invite, new Uint8Array(32).fill(7));
  owner.receive(thief);
  expect(owner.log.verdict(join.id)).toEqual({ kind: 'refused', reason: 'unproven' });
  expect(owner.log.state().members.get(eve.jid)).toMatchObject({ state: 'invited', person: null });
});

test('a join with a device of another account than the invited one is refused', () => {
  const { owner } = foundWorld(ana);
  const { invite, secret } = owner.invite(ben.jid);
  const guest = new Writer(createPerson('ben', { jid: 'mallory@example.org' }), owner.log.sphereId);
  guest.receive(owner);
  guest.certify();
  const join = guest.answer('join', invite, secret);
  owner.receive(guest);
  expect(owner.log.verdict(join.id)).toEqual({ kind: 'refused', reason: 'unproven' });
});

test('a device that its person did not certify has no authority', () => {
  const { owner } = foundWorld(ana);
  admit(owner, ben);
  const ghost = createPerson('eve', { device: 'ghost' });
  const impostor = new Writer(
    { ...ghost, author: { person: ben.person.id, device: ghost.author.device } },
    owner.log.sphereId,
  );
  impostor.receive(owner);
  const first = impostor.say('I am Ben');
  owner.receive(impostor);
  expect(owner.log.verdict(first.id)).toEqual({ kind: 'held', reason: 'certificate-missing' });
  const claim = impostor.write('device', { ...ghost.certificate, person: ben.person.id });
  owner.receive(impostor);
  expect(owner.log.verdict(claim.id)).toEqual({ kind: 'refused', reason: 'unproven' });
  expect(owner.log.verdict(first.id)).toEqual({ kind: 'held', reason: 'certificate-missing' });
  expect(owner.log.state().devices.has(ghost.author.device.id)).toBe(false);
});

test('a certificate whose OMEMO identity did not sign is refused', () => {
  const { owner } = foundWorld(ana);
  const { invite, secret } = owner.invite(ben.jid);
  const guest = new Writer(ben, owner.log.sphereId);
  guest.receive(owner);
  const certificate = guest.write('device', { ...ben.certificate, identitySignature: 'ab'.repeat(64) });
  guest.answer('join', invite, secret);
  owner.receive(guest);
  expect(owner.log.verdict(certificate.id)).toEqual({ kind: 'refused', reason: 'unproven' });
  expect(owner.log.state().members.get(ben.jid)?.state).toBe('invited');
});

test('another device of a member counts as soon as the person key certifies it', () => {
  const { owner } = foundWorld(ana);
  admit(owner, ben);
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), owner.log.sphereId);
  tablet.receive(owner);
  tablet.certify();
  const message = tablet.say('from the tablet');
  owner.receive(tablet);
  expect(owner.log.verdict(message.id)).toEqual({ kind: 'accepted' });
  expect([...owner.log.state().devices.values()].filter((device) => device.person === ben.person.id)).toHaveLength(2);
});

test('viewers chat but share nothing, members invite nobody, admins make no admins', () => {
  const { owner } = foundWorld(ana);
  const viewer = admit(owner, ben, 'viewer');
  const admin = admit(owner, eve, 'admin');
  settle(owner, viewer, admin);
  const chat = viewer.say('nice');
  const item = viewer.share('film.mp4');
  const invite = viewer.invite(createPerson('zoe').jid).invite;
  const promote = admin.setRole(ben.jid, 'admin');
  const removal = admin.remove(ana.jid);
  const rename = admin.write('rename', { name: 'All of us' });
  settle(owner, viewer, admin);
  const verdicts = [chat, item, invite, promote, removal, rename].map((event) => owner.log.verdict(event.id));
  const notAllowed = { kind: 'refused', reason: 'not-allowed' };
  expect(verdicts).toEqual([
    { kind: 'accepted' },
    notAllowed,
    notAllowed,
    notAllowed,
    notAllowed,
    { kind: 'accepted' },
  ]);
  expect(owner.log.state().name).toBe('All of us');
});

test('what a removed member wrote beyond the last accepted event is refused, also when it is dated back', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  const before = guest.say('seen by the remover');
  owner.receive(guest);
  owner.remove(ben.jid);
  const beyond = guest.say('not seen by the remover');
  settle(owner, guest);
  const later = guest.say('knows of the removal');
  owner.receive(guest);
  expect(owner.log.verdict(before.id)).toEqual({ kind: 'accepted' });
  expect(owner.log.verdict(beyond.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(owner.log.verdict(later.id)).toEqual({ kind: 'refused', reason: 'not-a-member' });
  expect(owner.log.state().devices.has(ben.author.device.id)).toBe(false);
});

test('a removed member cannot go on with a new device or another branch of an old one', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  const twin = new Writer(ben, owner.log.sphereId);
  twin.receive(owner);
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), owner.log.sphereId);
  tablet.receive(owner);
  guest.say('one');
  guest.say('two');
  const branch = twin.say('another one');
  tablet.certify();
  const fromTablet = tablet.say('still here');
  owner.receive(guest);
  owner.remove(ben.jid);
  settle(owner, twin, tablet);
  expect(owner.log.verdict(branch.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(owner.log.verdict(fromTablet.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect([...owner.log.state().forks]).toEqual([[ben.author.device.id, [branch.header.sequence]]]);
});

test('an event after a gap is never the line of a removal', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  const header = guest.log.nextHeader(ben.author.device.id, 0);
  const jump = buildEvent(
    ben.author,
    { ...header, sequence: 1_000_000, previous: ana.author.person as string as EventId },
    'message',
    {
      textSha256: '0'.repeat(64),
      replyTo: null,
    },
  );
  owner.log.add(jump);
  const removal = owner.remove(ben.jid);
  expect(removal.body.lastAccepted).toMatchObject([{ device: ben.author.device.id, sequence: 1 }]);
  expect(owner.log.verdict(jump.id)).toEqual({ kind: 'refused', reason: 'removed' });
});

test('a line that names an event nobody has lets nothing through', () => {
  const { owner } = foundWorld(ana);
  const admin = admit(owner, eve, 'admin');
  const guest = admit(owner, ben);
  settle(owner, admin, guest);
  const generous = [{ device: ben.author.device.id, sequence: 1_000_000, hash: 'f'.repeat(64) }];
  const removal = admin.write('remove', { jid: ben.jid, person: ben.person.id, lastAccepted: generous });
  const unaware = guest.say('still here');
  settle(owner, admin, guest);
  expect(owner.log.verdict(unaware.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(owner.log.missing().ids).toEqual(['f'.repeat(64)]);
  expect(owner.log.verdict(removal.id)).toEqual({ kind: 'accepted' });
});

test('what the remover had is accepted as soon as its chain is complete here', () => {
  const { owner, sphereId } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  const texts = ['one', 'two', 'three'].map((text) => guest.say(text));
  owner.receive(guest);
  owner.remove(ben.jid);
  const late = new Writer(eve, sphereId);
  late.log.addAll(owner.log.events().filter((event) => event !== texts[1]));
  expect(texts.map((event) => late.log.verdict(event.id)?.kind)).toEqual(['refused', undefined, 'accepted']);
  expect(late.log.missing().ids).toEqual([texts[1]?.id]);
  late.receive(owner);
  expect(texts.map((event) => late.log.verdict(event.id)?.kind)).toEqual(['accepted', 'accepted', 'accepted']);
});

test('a removed member who is invited again writes in the new time, and the old line stands', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  owner.remove(ben.jid);
  const beyond = guest.say('too late');
  settle(owner, guest);
  const { invite, secret } = owner.invite(ben.jid);
  guest.receive(owner);
  guest.answer('join', invite, secret);
  const again = guest.say('back again');
  settle(owner, guest);
  expect(owner.log.verdict(again.id)).toEqual({ kind: 'accepted' });
  expect(owner.log.verdict(beyond.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(owner.log.state().members.get(ben.jid)).toMatchObject({ state: 'joined', person: ben.person.id });
});

test('removal wins over a new role at the same time, and the owner’s decision over an admin’s', () => {
  const { owner } = foundWorld(ana);
  const admin = admit(owner, eve, 'admin');
  const member = admit(owner, ben);
  const other = admit(owner, createPerson('zoe'), 'admin');
  settle(owner, admin, member, other);
  const removal = admin.remove(ben.jid);
  other.setRole(ben.jid, 'viewer');
  settle(admin, other);
  expect(admin.log.verdict(removal.id)).toEqual({ kind: 'accepted' });
  expect(admin.log.state().members.get(ben.jid)?.state).toBe('removed');
  const raised = owner.setRole(ben.jid, 'admin');
  settle(owner, admin, other, member);
  expect(owner.log.verdict(removal.id)).toEqual({ kind: 'refused', reason: 'overruled' });
  expect(owner.log.verdict(raised.id)).toEqual({ kind: 'accepted' });
  expect(owner.log.state().members.get(ben.jid)).toMatchObject({ role: 'admin', state: 'joined' });
});

test('a demoted admin cannot use the old rights by pretending not to know', () => {
  const { owner } = foundWorld(ana);
  const admin = admit(owner, eve, 'admin');
  settle(owner, admin);
  owner.setRole(eve.jid, 'member');
  const late = admin.invite(ben.jid).invite;
  settle(owner, admin);
  expect(owner.log.verdict(late.id)).toEqual({ kind: 'refused', reason: 'not-allowed' });
  expect(owner.log.state().members.has(ben.jid)).toBe(false);
});

test('nobody goes back behind a membership event they once acknowledged', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const stale = guest.log.nextHeader(ben.author.device.id, 0).membership;
  guest.write('leave', {});
  const header = guest.log.nextHeader(ben.author.device.id, 0);
  const body = { textSha256: '0'.repeat(64), replyTo: null };
  const back = buildEvent(ben.author, { ...header, membership: stale }, 'message', body);
  settle(owner, guest);
  owner.log.add(back);
  expect(owner.log.verdict(back.id)?.kind).toBe('refused');
});

test('an admission by an admin beyond the admin’s removal is void, with everything that followed from it', () => {
  const { owner } = foundWorld(ana);
  const admin = admit(owner, eve, 'admin');
  settle(owner, admin);
  const guest = admit(admin, ben);
  const hello = guest.say('hello');
  owner.remove(eve.jid);
  settle(owner, admin, guest);
  expect(owner.log.state().members.has(ben.jid)).toBe(false);
  expect(owner.log.verdict(hello.id)).toEqual({ kind: 'refused', reason: 'not-a-member' });
});

test('both of two invitations at the same time can be answered, the earlier one sets the role', () => {
  const { owner } = foundWorld(ana);
  const one = admit(owner, eve, 'admin');
  const two = admit(owner, createPerson('zoe'), 'admin');
  settle(owner, one, two);
  const first = one.invite(ben.jid, 'viewer');
  two.say('makes the next event later');
  const second = two.invite(ben.jid, 'member');
  settle(owner, one, two);
  const guest = new Writer(ben, owner.log.sphereId);
  guest.receive(owner);
  guest.certify();
  guest.answer('join', second.invite, second.secret);
  settle(owner, guest);
  expect(first.invite.header.lamport).toBeLessThan(second.invite.header.lamport);
  expect(owner.log.state().members.get(ben.jid)).toMatchObject({ role: 'viewer', state: 'joined' });
});

/** Ana's sphere with Ben on two devices, who both have everything. */
function twoDevices() {
  const { owner, sphereId } = foundWorld(ana);
  const phone = admit(owner, ben);
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), sphereId);
  tablet.receive(owner);
  tablet.certify();
  settle(owner, phone, tablet);
  return { owner, phone, tablet };
}

test('a device that its person has ended counts no more; what it said before stays, what it says then is refused', () => {
  const { owner, phone, tablet } = twoDevices();
  const before = phone.share('before.mp4');
  tablet.receive(phone);
  const end = tablet.endDevice(phone);
  const unseen = phone.say('not knowing of it');
  settle(owner, tablet, phone);
  const late = phone.say('knowing of it');
  phone.certify();
  settle(owner, phone);
  const state = owner.log.state();
  expect([end, before].map(({ id }) => owner.log.verdict(id)?.kind)).toEqual(['accepted', 'accepted']);
  for (const { id } of [unseen, late]) expect(owner.log.verdict(id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect([...state.devices.keys()]).toEqual([ana.author.device.id, tablet.who.author.device.id]);
  expect(state.members.get(ben.jid)).toMatchObject({ state: 'joined', person: ben.person.id });
  expect(state.isEpochDue).toBe(true);
});

test('nobody ends the device of somebody else, or the one they speak with', () => {
  const { owner, phone } = twoDevices();
  const ends = [owner.endDevice(phone), phone.endDevice(phone)];
  settle(owner, phone);
  expect(ends.map(({ id }) => owner.log.verdict(id))).toEqual([
    { kind: 'refused', reason: 'no-such-member' },
    { kind: 'refused', reason: 'not-allowed' },
  ]);
  expect(owner.log.state().devices.size).toBe(3);
});

test('of two devices that end each other the earlier one stays, in whatever order it is heard', () => {
  const { owner, phone, tablet } = twoDevices();
  const first = phone.endDevice(tablet);
  tablet.say('later');
  const second = tablet.endDevice(phone);
  owner.receive(tablet);
  owner.receive(phone);
  expect(owner.log.verdict(first.id)).toEqual({ kind: 'accepted' });
  expect(owner.log.verdict(second.id)).toEqual({ kind: 'refused', reason: 'removed' });
  settle(owner, phone, tablet);
  for (const { log } of [phone, tablet]) expect(log.state().endedDevices).toEqual(owner.log.state().endedDevices);
});

test('when a person is removed, what a device said that they had ended before stays accepted', () => {
  const { owner, phone, tablet } = twoDevices();
  const item = phone.share('old.mp4');
  settle(tablet, phone);
  tablet.endDevice(phone);
  settle(owner, tablet);
  owner.remove(ben.jid);
  expect(owner.log.verdict(item.id)).toEqual({ kind: 'accepted' });
});

test('a device that never heard that its person left says nothing more once they came back and were removed', () => {
  const { owner, phone, tablet } = twoDevices();
  tablet.write('leave', {});
  owner.receive(tablet);
  const { invite, secret } = owner.invite(ben.jid);
  tablet.receive(owner);
  tablet.certify();
  tablet.answer('join', invite, secret);
  owner.receive(tablet);
  owner.remove(ben.jid);
  const late = phone.say('still from before the leave');
  settle(owner, phone, tablet);
  expect(owner.log.verdict(late.id)).toEqual({ kind: 'refused', reason: 'removed' });
});
