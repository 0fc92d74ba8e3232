import { expect, test } from 'vitest';
import { two } from '../../test/sim/two-people.ts';
import { knownMembers } from './known-members.ts';

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
