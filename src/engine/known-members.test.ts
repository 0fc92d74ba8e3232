import { expect, test } from 'vitest';
import { two } from '../../test/sim/two-people.ts';
import { parseBareJid } from '../base/id.ts';
import { knownMembers } from './known-members.ts';

const noSignal = new AbortController().signal;

test('behind an address and a key stands the person who certified both, and nobody behind a key that a server made up', async () => {
  const { ana, ben } = await two();
  const { storage, list, own, identity } = ana.session;
  const { person } = identity.author;
  const { personBehind } = knownMembers({ storage, list, own, person });
  const [anas, bens] = [ana.session.omemo.identityKey, ben.session.omemo.identityKey];
  expect(personBehind(ben.jid, bens)).toBe(ben.session.sphere().person);
  expect(personBehind(own, anas)).toBe(person);
  expect([personBehind(ben.jid, anas), personBehind(own, bens), personBehind(ben.jid, new Uint8Array(33))]).toEqual([
    null,
    null,
    null,
  ]);
});

test('nobody stands behind a key that is known from a sphere alone which we have left: what ended since is not heard of there', async () => {
  const { ana, ben, id } = await two();
  const { storage, list, own, members, omemo, identity } = ben.session;
  const { personBehind } = knownMembers({ storage, list, own, person: identity.author.person });
  const key = ana.session.omemo.identityKey;
  expect(personBehind(ana.jid, key)).toBe(ana.session.identity.author.person);
  await members.leave(id, noSignal);
  expect(personBehind(ana.jid, key)).toBeNull();
  expect(personBehind(own, omemo.identityKey)).toBe(identity.author.person);
});

test('whoever has said where they go, and writes from the account before still, is the same person at both', async () => {
  const { world, ana, ben } = await two();
  const { storage, list, own, identity } = ana.session;
  const { personBehind } = knownMembers({ storage, list, own, person: identity.author.person });
  const to = parseBareJid('ben@new.sim');
  await ben.session.move.say(to, noSignal);
  await world.quiet();
  const { person, omemo } = { person: ben.session.sphere().person, omemo: ben.session.omemo };
  expect([ben.jid, to].map((jid) => personBehind(jid, omemo.identityKey))).toEqual([person, person]);
});
