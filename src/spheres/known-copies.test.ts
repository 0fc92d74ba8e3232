import { expect, test } from 'vitest';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { viewMessage } from '../engine/message-view.ts';
import { knownCopies } from './known-copies.ts';

/** Ben shared one thing, and of Ana's two his device has said to her that it has the first. */
async function threeThings() {
  const world = new SimWorld();
  const [ana, ben, zoe] = [await world.person('ana'), await world.person('ben'), await world.person('zoe')];
  const sphere = await world.sphere(ana, ben, zoe);
  const beach = await ana.share('beach.mp4');
  await ana.share('dune.mp4');
  await ben.share('wave.mp4');
  await world.quiet();
  const { infoHash } = ana.session.items.row(beach);
  const rest = { infoHash, address: '192.0.2.1:1', path: 'lan', downBps: 0, upBps: 0 } as const;
  const device = ben.session.identity.device.id;
  ana.session.swarm.emit({ kind: 'peers', peers: [{ ...rest, device, bytesHave: 9 }] });
  await world.quiet();
  return { world, ana, ben, zoe, sphere };
}

const heldByBen = ({ session }: SimPerson, other: SimPerson) =>
  knownCopies(session.storage, session.sphere(), other.session.sphere().person);

const lastLine = ({ session }: SimPerson) => {
  const row = session.lines().at(-1);
  if (row === undefined) throw new Error('nothing was said');
  const { kind, text, removed } = viewMessage(session, row);
  return { kind, text, removed };
};

test('what a member has is what they shared and what their device said that it has', async () => {
  const { ana, ben, zoe } = await threeThings();
  expect(heldByBen(ana, ben)).toEqual({ known: 2, all: 3 });
  expect(heldByBen(zoe, ben)).toEqual({ known: 1, all: 3 });
});

test('that somebody was removed stands in the conversation of everybody, with what they keep', async () => {
  const { world, ana, ben, zoe, sphere } = await threeThings();
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.quiet();
  const said = { kind: 'notice', text: 'removed' } as const;
  expect(lastLine(ana)).toEqual({ ...said, removed: { name: 'Ben', isMe: false, known: 2 } });
  expect(lastLine(zoe)).toEqual({ ...said, removed: { name: 'Ben', isMe: false, known: 1 } });
  expect(lastLine(ben)).toMatchObject({ ...said, removed: { isMe: true } });
});

test('what they were removed with stays said when they come back and get more', async () => {
  const { world, ana, ben, sphere } = await threeThings();
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.quiet();
  await world.bringIn(ana, ben);
  await ben.share('later.mp4');
  await world.quiet();
  const notes = ana.session.lines().flatMap((row) => viewMessage(ana.session, row).removed ?? []);
  expect(notes).toEqual([{ name: 'Ben', isMe: false, known: 2 }]);
});

test('an invitation that is taken back is no removal of somebody', async () => {
  const { world, ana, zoe, sphere } = await threeThings();
  const kim = await world.person('kim');
  await ana.session.members.invite(sphere.id, kim.jid, noSignal);
  await world.quiet();
  await ana.session.members.remove(sphere.id, kim.jid, noSignal);
  await world.quiet();
  for (const person of [ana, zoe]) expect(lastLine(person)).not.toMatchObject({ text: 'removed' });
});
