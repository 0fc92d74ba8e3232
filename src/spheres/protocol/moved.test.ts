import { expect, test } from 'vitest';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import { partnerIn } from '../partner-in.ts';
import { knownDevices } from '../recipients.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const benNew = createPerson('ben', { jid: 'ben@new.example' });
const benOther = createPerson('ben', { jid: 'ben@other.example' });
const eve = createPerson('eve');

function membersOf(writer: Writer) {
  return [...writer.log.state().members.values()].map(({ jid, role, state }) => `${jid} ${role} ${state}`);
}

test('a member who moves goes on under the new account with role, place and all that they were', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben, 'admin');
  admit(owner, eve);
  settle(owner, guest);
  const before = owner.log.state().members.get(ben.jid);
  const said = guest.say('from the old account');
  guest.moveTo(benNew);
  const after = guest.share('from the new one.mp4');
  settle(owner, guest);
  const state = owner.log.state();
  expect(membersOf(owner)).toEqual([
    'ana@example.org owner joined',
    'ben@new.example admin joined',
    'eve@example.org member joined',
  ]);
  expect(state.members.get(benNew.jid)).toEqual({ ...before, jid: benNew.jid });
  expect(state.accounts.get(ben.person.id)).toBe(benNew.jid);
  expect([...state.moved]).toEqual([[ben.jid, benNew.jid]]);
  expect([...state.refused.keys()]).toEqual([]);
  expect([said, after].map(({ id }) => owner.log.verdict(id)?.kind)).toEqual(['accepted', 'accepted']);
  expect(state.isEpochDue).toBe(false);
  expect(knownDevices(state, benNew.jid)).toHaveLength(1);
  expect(knownDevices(state, ben.jid)).toEqual([]);
});

test('nobody moves somebody else, from an address that is not theirs, or without a certificate for the new account', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const other = admit(owner, eve);
  settle(owner, guest, other);
  const evil = createPerson('eve', { jid: 'eve@evil.example' });
  other.write('device', evil.certificate);
  const forged = other.write('moved', { from: ben.jid, to: evil.jid });
  const unproven = guest.write('moved', { from: ben.jid, to: benNew.jid });
  settle(owner, guest, other);
  expect(owner.log.verdict(forged.id)).toEqual({ kind: 'refused', reason: 'not-a-member' });
  expect(owner.log.verdict(unproven.id)).toEqual({ kind: 'refused', reason: 'unproven' });
  expect(owner.log.state().members.get(ben.jid)?.state).toBe('joined');
  // Its certificate names another account meanwhile, and the one for the member's account still holds.
  expect(knownDevices(owner.log.state(), eve.jid)).toHaveLength(1);
});

test('a device that its person has ended, and a member who was removed, move nobody', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), owner.log.sphereId);
  settle(owner, guest, tablet);
  tablet.certify();
  settle(owner, guest, tablet);
  tablet.endDevice(guest);
  const ended = guest.moveTo(benNew);
  settle(owner, tablet);
  owner.receive(guest);
  expect(owner.log.verdict(ended.id)).toEqual({ kind: 'refused', reason: 'removed' });
  owner.remove(ben.jid);
  const late = tablet.moveTo(createPerson('ben', { device: 'tablet', jid: 'ben@new.example' }));
  owner.receive(tablet);
  expect(owner.log.verdict(late.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(membersOf(owner)).toEqual(['ana@example.org owner joined', 'ben@example.org member removed']);
});

test('a move that a removal did not know of is undone by it, and the person is out under both addresses', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const other = admit(owner, eve, 'admin');
  settle(owner, guest, other);
  // Earlier in canonical order than the removal, which does not know of it.
  const moved = guest.moveTo(benNew);
  for (let word = 0; word < 4; word += 1) other.say('meanwhile');
  const removal = other.remove(ben.jid);
  settle(owner, guest, other);
  expect(moved.header.lamport).toBeLessThan(removal.header.lamport);
  expect(owner.log.verdict(moved.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(membersOf(owner)).toEqual([
    'ana@example.org owner joined',
    'ben@example.org member removed',
    'eve@example.org admin joined',
  ]);
});

test('a role that was given to the old address, without knowing of the move, counts at the new one', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  guest.moveTo(benNew);
  for (let word = 0; word < 4; word += 1) owner.say('meanwhile');
  owner.setRole(ben.jid, 'viewer');
  settle(owner, guest);
  expect(membersOf(owner)).toEqual(['ana@example.org owner joined', 'ben@new.example viewer joined']);
});

test('nobody moves to an address that somebody else has, was asked at or was removed from', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  admit(owner, eve);
  owner.invite(createPerson('zoe').jid);
  owner.invite(createPerson('kim').jid);
  owner.remove(createPerson('kim').jid);
  settle(owner, guest);
  for (const name of ['ana', 'eve', 'zoe', 'kim']) {
    const moved = guest.moveTo(createPerson('ben', { jid: `${name}@example.org` }));
    owner.receive(guest);
    expect([name, owner.log.verdict(moved.id)]).toEqual([name, { kind: 'refused', reason: 'already-a-member' }]);
  }
  expect(owner.log.state().members.get(ben.jid)?.state).toBe('joined');
});

test('of two moves at the same time the later one in canonical order holds, whatever came first', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), owner.log.sphereId);
  settle(owner, guest, tablet);
  tablet.certify();
  settle(owner, guest, tablet);
  guest.moveTo(benNew);
  tablet.say('one more');
  tablet.moveTo(createPerson('ben', { device: 'tablet', jid: 'ben@other.example' }));
  const third = new Writer(eve, owner.log.sphereId);
  third.receive(tablet, guest);
  settle(owner, guest, tablet);
  expect(membersOf(owner)).toEqual(['ana@example.org owner joined', 'ben@other.example member joined']);
  expect(membersOf(third)).toEqual(membersOf(owner));
  expect([...owner.log.state().moved]).toEqual([
    [ben.jid, benOther.jid],
    [benNew.jid, benOther.jid],
  ]);
});

test('who moves back has the first address again, and an owner who moves stays the owner', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  guest.moveTo(benNew);
  guest.moveTo(ben);
  owner.moveTo(createPerson('ana', { jid: 'ana@new.example' }));
  owner.write('rename', { name: 'Still hers' });
  settle(owner, guest);
  expect(membersOf(guest)).toEqual(['ana@new.example owner joined', 'ben@example.org member joined']);
  expect(guest.log.state().name).toBe('Still hers');
});

test('an address that was moved away from can be asked anew, and is somebody else then', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  guest.moveTo(benNew);
  settle(owner, guest);
  const heir = createPerson('heir', { jid: ben.jid });
  admit(owner, heir);
  owner.remove(ben.jid);
  expect(membersOf(owner)).toEqual([
    'ana@example.org owner joined',
    'ben@new.example member joined',
    'ben@example.org member removed',
  ]);
  expect([...owner.log.state().moved]).toEqual([]);
});

test('somebody who is removed from an address by two admins at once does not take along who moved away from there', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const other = admit(owner, eve, 'admin');
  settle(owner, guest, other);
  guest.moveTo(benNew);
  settle(owner, guest, other);
  owner.invite(ben.jid);
  settle(owner, other);
  owner.remove(ben.jid);
  other.remove(ben.jid);
  settle(owner, guest, other);
  expect(membersOf(owner)).toContain('ben@new.example member joined');
});

test('a leave and a handover that were said under the old address count at the new one', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  settle(owner, guest);
  owner.handOver(ben);
  guest.receive(owner);
  guest.moveTo(benNew);
  guest.accept();
  settle(owner, guest);
  expect(membersOf(owner)).toEqual(['ana@example.org admin joined', 'ben@new.example owner joined']);
  owner.moveTo(createPerson('ana', { jid: 'ana@new.example' }));
  owner.write('leave', {});
  settle(owner, guest);
  expect(membersOf(guest)).toEqual(['ana@new.example admin left', 'ben@new.example owner joined']);
});

test('a sphere of two stays one when either of them moves', () => {
  const pair = { founder: benNew.jid, partner: ana.jid, wallMs: 0 };
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  guest.moveTo(benNew);
  owner.receive(guest);
  const { genesis, ...state } = owner.log.state();
  if (genesis === null) throw new Error('no genesis');
  expect(partnerIn({ ...state, genesis: { ...genesis, pair } }, ana.jid)).toBe(benNew.jid);
});

test('a member who moves and has somebody asked at the address of before does not escape a removal that knew of neither', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben, 'admin');
  settle(owner, guest);
  guest.moveTo(benNew);
  const { invite } = guest.invite(ben.jid);
  for (let word = 0; word < 4; word += 1) owner.say('meanwhile');
  const removal = owner.remove(ben.jid);
  settle(owner, guest);
  expect(owner.log.verdict(removal.id)).toEqual({ kind: 'accepted' });
  expect(owner.log.verdict(invite.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(membersOf(owner)).toEqual(['ana@example.org owner joined', 'ben@example.org admin removed']);
});

test('whoever withdraws what was asked at the address that they moved away from stays a member', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben, 'admin');
  settle(owner, guest);
  guest.moveTo(benNew);
  guest.invite(ben.jid, 'viewer');
  guest.remove(ben.jid);
  const { invite } = guest.invite(eve.jid);
  settle(owner, guest);
  expect(owner.log.verdict(invite.id)).toEqual({ kind: 'accepted' });
  expect(membersOf(owner)).toContain('ben@new.example admin joined');
});

test('a removal concerns the time before under another address too, of which a device speaks that never heard of the end', () => {
  const { owner } = foundWorld(ana);
  const phone = admit(owner, ben, 'admin');
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), owner.log.sphereId);
  settle(owner, phone, tablet);
  tablet.certify();
  settle(owner, phone, tablet);
  phone.write('leave', {});
  owner.receive(phone);
  const again = admit(owner, benNew);
  settle(owner, again);
  owner.remove(benNew.jid);
  const { invite } = tablet.invite(eve.jid);
  settle(owner, tablet);
  expect(owner.log.verdict(invite.id)).toEqual({ kind: 'refused', reason: 'removed' });
});
