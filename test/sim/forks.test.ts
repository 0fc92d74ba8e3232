import { expect, test } from 'vitest';
import { toUtf8 } from '../../src/base/bytes.ts';
import { followNotices } from '../../src/engine/notices.ts';
import { viewMembers } from '../../src/engine/sphere-view.ts';
import { attachment, encodeEnvelope, entryOf } from '../../src/spheres/protocol/envelope.ts';
import { buildEvent } from '../../src/spheres/protocol/event.ts';
import { sha256Hex } from '../../src/spheres/protocol/keys.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

/** Says something in the place where the device has said something else already, as a restored copy would. */
function sayAgain({ session }: SimPerson, line: string): void {
  const sphere = session.sphere();
  const { author } = session.identity;
  const own = sphere.log.events().filter(({ header }) => header.device === author.device.id);
  const { sequence, previous, lamport, membership } = own.at(-1)?.header ?? missing();
  const text = toUtf8(line);
  const header = { sphere: sphere.id, sequence, previous, lamport, membership, wallMs: 1 };
  const event = buildEvent(author, header, 'message', { textSha256: sha256Hex(text), replyTo: null });
  const envelope = encodeEnvelope([entryOf(event, [attachment('text', text)])]);
  sphere.enqueueEnvelope(event.id, envelope, sphere.row.room, { audience: { kind: 'members' }, line });
  session.outgoing.poke();
}

function missing(): never {
  throw new Error('nothing was said before');
}

const forked = ({ session }: SimPerson) =>
  viewMembers(session, session.sphere())
    .filter(({ isForked }) => isForked)
    .map(({ jid }) => jid);

test('two copies of one program that contradict each other are told once, and what both said is kept and shown', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana, ben);
  const told: object[] = [];
  const stop = followNotices(ana.session as never, (notice) => told.push(notice), world.clock);
  ben.session.messages.say(id, 'one');
  await world.quiet();
  sayAgain(ben, 'two');
  await world.quiet();
  ben.session.messages.say(id, 'three');
  await world.quiet();
  expect(ana.session.texts().toSorted()).toEqual(['one', 'three', 'two']);
  expect(forked(ana)).toEqual([ben.jid]);
  expect(told).toEqual([{ code: 'forked', params: { person: 'Ben', sphere: 'Summer' } }]);
  stop();
});
