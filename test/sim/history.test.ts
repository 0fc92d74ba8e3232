import { expect, test } from 'vitest';
import { viewSphere } from '../../src/engine/sphere-view.ts';
import type { EphemeralBodies } from '../../src/spheres/protocol/ephemeral.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

/** A sphere whose past is not for those who join later; Eva joins when two lines and an item are there. */
async function joinedLater() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await ana.session.members.found({ name: 'Summer', history: 'from-join' }, noSignal);
  await world.bringIn(ana, ben);
  ben.session.messages.say(sphere.id, 'before her time');
  const item = await ana.share('before.mp4');
  await world.pass(60_000);
  await world.bringIn(ana, eva);
  return { world, ana, ben, eva, sphere, item };
}

const kept = ({ session }: SimPerson): readonly string[] =>
  session
    .sphere()
    .log.events()
    .flatMap(({ id }) => session.storage.attachments.list(id).map(({ kind }) => kind));
const shown = ({ session }: SimPerson) => ({
  texts: session.texts(),
  items: session.storage.items.listAll().length,
  counted: viewSphere(session, session.sphere()).itemCount,
});

test('whoever joins a sphere without a past gets no text, no key and no picture from before, and all that follows', async () => {
  const { world, ana, eva, sphere } = await joinedLater();
  expect(kept(eva)).toEqual([]);
  expect(shown(eva)).toEqual({ texts: [], items: 0, counted: 0 });
  expect(eva.session.eventIds()).toEqual(ana.session.eventIds());
  ana.session.messages.say(sphere.id, 'welcome');
  await ana.share('after.mp4');
  await world.quiet();
  expect(shown(eva)).toEqual({ texts: ['welcome'], items: 1, counted: 1 });
  expect(kept(eva)).toContain('media-key');
  await eva.stop();
  await eva.start();
  expect(shown(eva)).toEqual({ texts: ['welcome'], items: 1, counted: 1 });
});

test('who asks members for what was said before they joined gets the bare events', async () => {
  const { world, ana, ben, eva, item } = await joinedLater();
  const { log } = eva.session.sphere();
  const ids = log.events().map(({ id }) => id);
  for (const { session } of [ana, ben]) {
    const want: EphemeralBodies['want'] = { to: session.sphere().device, ranges: [], ids: ids.slice(0, 32) };
    await eva.session.channel.say(eva.session.sphere(), 'want', want);
  }
  await world.pass(60_000);
  const answers = world.entries.filter(({ text }) => text === 'log passed on');
  expect(answers.length).toBeGreaterThanOrEqual(2);
  expect(kept(eva)).toEqual([]);
  expect(eva.session.storage.items.get(item)).toBeUndefined();
  expect(eva.session.texts()).toEqual([]);
});

test('keys from before a removal do not reach those who join after it', async () => {
  const { world, ana, ben, eva, sphere } = await joinedLater();
  const zoe = await world.person('zoe');
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.quiet();
  await world.bringIn(ana, zoe);
  const numbers = (person: SimPerson) => person.session.storage.epochs.list(sphere.id).map(({ number }) => number);
  expect([numbers(ana).toSorted(), numbers(eva).toSorted(), numbers(zoe)]).toEqual([[0, 1], [0, 1], [1]]);
  zoe.session.messages.say(sphere.id, 'hello');
  await world.quiet();
  expect([ana.session.texts().at(-1), eva.session.texts()]).toEqual(['hello', ['hello']]);
});
