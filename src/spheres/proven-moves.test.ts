import { expect, test } from 'vitest';
import { createPerson } from '../../test/fixtures/protocol/people.ts';
import { admit, foundWorld } from '../../test/fixtures/protocol/sphere-world.ts';
import { provenMoves } from './proven-moves.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const benNew = createPerson('ben', { jid: 'ben@new.example' });

/** What is proved to somebody who knows this identity key of Ben's old account. */
function movesOf(identityKey: Uint8Array | undefined) {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  guest.moveTo(benNew);
  owner.receive(guest);
  const knownDevices = { get: () => (identityKey === undefined ? undefined : { identityKey }) } as never;
  return provenMoves({ state: owner.log.state(), log: owner.log } as never, { knownDevices });
}

test('a move is proved by the identity key that we know of the old account', () => {
  expect(movesOf(ben.omemoIdentityKey)).toEqual([{ person: ben.person.id, from: ben.jid, to: benNew.jid }]);
});

test('a member who only claims an address moves nobody’s contact: another identity key, or none, is known of it', () => {
  expect(movesOf(createPerson('eve').omemoIdentityKey)).toEqual([]);
  expect(movesOf(undefined)).toEqual([]);
});
