import { expect, test } from 'vitest';
import { createPerson } from '../../test/fixtures/protocol/people.ts';
import { admit, foundWorld } from '../../test/fixtures/protocol/sphere-world.ts';
import { silentLogger } from '../base/log.ts';
import { Mailbox } from './mailbox.ts';

const ana = createPerson('ana');
const ben = createPerson('ben');
const benNew = createPerson('ben', { jid: 'ben@new.example' });

test('whoever missed that somebody moved believes it also when it comes among other things', () => {
  const { owner } = foundWorld(ana);
  const guest = admit(owner, ben);
  const said = guest.say('before');
  const moved = guest.moveTo(benNew);
  const rest = { storage: {} as never, effectsOf: () => undefined as never, isStranger: () => false, nowMs: () => 0 };
  const mailbox = new Mailbox({ ...rest, own: ana.jid, log: silentLogger });
  const deliveries = [said, moved].map((event) => ({ event, kept: [] })) as never;
  const sphere = { state: owner.log.state() } as never;
  const isMove = (from: string, identityKey: Uint8Array): boolean =>
    mailbox.isMove(sphere, { from } as never, { identityKey } as never, deliveries);
  expect(isMove(benNew.jid, ben.omemoIdentityKey)).toBe(true);
  expect(isMove('eve@evil.example', ben.omemoIdentityKey)).toBe(false);
  expect(isMove(benNew.jid, createPerson('eve').omemoIdentityKey)).toBe(false);
});
