import { expect, test } from 'vitest';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';

/** An organiser who is removed, and two copies of their computer: one that has heard of it and one that has not. */
function removedOrganiser() {
  const { owner, sphereId } = foundWorld();
  const eve = createPerson('eve');
  const admin = admit(owner, eve, 'admin');
  const twin = new Writer(eve, sphereId);
  settle(owner, admin, twin);
  for (const text of ['one', 'two', 'three', 'four', 'five', 'six']) owner.say(text);
  const removal = owner.remove(eve.jid);
  return { owner, admin, twin, removal };
}

test('a removed organiser who contradicts themselves gets nothing past the line of the removal', () => {
  const { owner, admin, twin, removal } = removedOrganiser();
  admin.receive(owner);
  // The same number with the word that they know of the removal, and behind it what pretends to be older than that.
  const knowing = admin.say('I have heard of it');
  twin.say('from before');
  const { invite } = twin.invite(createPerson('mal').jid, 'member');
  settle(owner, admin, twin);
  expect(invite.header.sequence).toBe(knowing.header.sequence + 1);
  expect(invite.header.lamport).toBeLessThan(removal.header.lamport);
  expect(owner.log.verdict(invite.id)).toEqual({ kind: 'refused', reason: 'removed' });
  expect(owner.log.state().members.has(createPerson('mal').jid)).toBe(false);
});
