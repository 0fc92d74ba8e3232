import { expect, test } from 'vitest';
import { createPerson, isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, ROOM, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import { toHex } from '../../base/bytes.ts';
import { decodeEnvelope, encodeEnvelope } from './envelope.ts';
import { invitationEntries, readInvitation } from './invitation.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const eve = createPerson('eve');
const senderOf = (who: typeof ana) => ({ jid: who.jid, omemoIdentityKey: toHex(who.omemoIdentityKey) });

function invited() {
  const { owner, sphereId } = foundWorld(ana);
  const admin = admit(owner, eve, 'admin');
  owner.write('rename', { name: 'Summer' });
  settle(owner, admin);
  admin.say('something private');
  const { invite, secret } = admin.invite(ben.jid);
  const entries = decodeEnvelope(encodeEnvelope(invitationEntries(admin.log, invite, secret)));
  return { owner, admin, sphereId, invite, secret, entries };
}

test('an invitation tells name, room, role and sender, and can be answered', () => {
  const { owner, admin, sphereId, invite, secret, entries } = invited();
  const invitation = readInvitation({ sphereId, jid: ben.jid, sender: senderOf(eve), isDeviceProven }, entries);
  expect(invitation).toMatchObject({
    invite: invite.id,
    name: 'Summer',
    room: ROOM,
    from: eve.jid,
    role: 'member',
    secret,
  });
  expect(invitation.delivered.map(({ event }) => event.type)).not.toContain('message');
  const guest = new Writer(ben, sphereId);
  guest.log.addAll(invitation.delivered.map(({ event }) => event));
  expect(guest.log.state().held.size).toBe(0);
  guest.certify();
  guest.answer('join', invite, invitation.secret);
  settle(owner, admin, guest);
  expect(owner.log.state().members.get(ben.jid)).toMatchObject({ state: 'joined', person: ben.person.id });
});

test('an invitation for another account, or from another device than the inviter’s, is refused', () => {
  const { sphereId, entries } = invited();
  const input = { sphereId, jid: ben.jid, sender: senderOf(eve), isDeviceProven };
  expect(() => readInvitation({ ...input, jid: ana.jid }, entries)).toThrow('not an invitation for us');
  expect(() => readInvitation({ ...input, sender: senderOf(ana) }, entries)).toThrow('not sent by the one');
  const ghost = { jid: eve.jid, omemoIdentityKey: senderOf(ana).omemoIdentityKey };
  expect(() => readInvitation({ ...input, sender: ghost }, entries)).toThrow('not sent by the one');
});

test('an invitation whose inviter had no right, or whose events are left out, is refused', () => {
  const { owner, sphereId } = foundWorld(ana);
  const member = admit(owner, eve, 'member');
  const { invite, secret } = member.invite(ben.jid);
  const entries = invitationEntries(member.log, invite, secret);
  const input = { sphereId, jid: ben.jid, sender: senderOf(eve), isDeviceProven };
  expect(() => readInvitation(input, entries)).toThrow('had no right');
  const { sphereId: other, entries: whole } = invited();
  expect(() => readInvitation({ ...input, sphereId: other }, whole.slice(0, 3))).toThrow('had no right');
});

test('a secret of another invitation is neither sent nor taken', () => {
  const { admin, sphereId, invite, entries } = invited();
  expect(() => invitationEntries(admin.log, invite, new Uint8Array(32))).toThrow('of another invitation');
  const [first, ...rest] = entries;
  if (first === undefined) throw new Error('no entry');
  const swapped = { ...first, attachments: first.attachments.map((part) => ({ ...part, bytes: new Uint8Array(32) })) };
  const input = { sphereId, jid: ben.jid, sender: senderOf(eve), isDeviceProven };
  expect(() => readInvitation(input, [swapped, ...rest])).toThrow('do not belong together');
});

test('an invitation to a sphere that moved leads to the room that it is in now, with what proves it', () => {
  const { owner } = foundWorld(ana);
  const admin = admit(owner, eve, 'admin');
  settle(owner, admin);
  admin.move('first');
  owner.receive(admin);
  owner.move('second');
  const { invite, secret } = owner.invite(ben.jid);
  const input = { sphereId: owner.log.sphereId, jid: ben.jid, sender: senderOf(ana), isDeviceProven };
  const entries = invitationEntries(owner.log, invite, secret);
  expect(readInvitation(input, entries).room).toBe('second@rooms.example.net');
});
