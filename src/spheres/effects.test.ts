import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
import type { SphereChange } from './effects.ts';
import { attachment } from './protocol/envelope.ts';

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const changes: SphereChange['kind'][] = [];
  ben.session.list.onChange.on((changed) => changes.push(...changed.changes.map(({ kind }) => kind)));
  return { world, ana, ben, sphere, changes };
}

test('what happens is told as lines, items and changes of members, once each', async () => {
  const { world, ana, ben, sphere, changes } = await two();
  ana.session.messages.say(sphere.id, 'hello');
  await world.quiet();
  expect(changes.splice(0)).toEqual(['message']);
  await ana.share('beach.mp4');
  await world.quiet();
  expect(changes.splice(0)).toEqual(['message', 'item']);
  expect(ben.session.lines().at(-1)).toMatchObject({ kind: 'item', text: '📎 beach.mp4 · 9 B', from: ana.jid });
  await world.bringIn(ana, await world.person('zoe'));
  expect(new Set(changes.splice(0))).toEqual(new Set(['members', 'joined', 'message']));
  expect(ben.session.lines().at(-1)).toMatchObject({ kind: 'notice', text: 'joined' });
});

test('the key of an epoch is kept in its own place only', async () => {
  const { world, ana, ben, sphere } = await two();
  await world.bringIn(ana, await world.person('zoe'));
  const zoe = sphere.state.members.keys().toArray().at(-1);
  await ana.session.members.remove(sphere.id, zoe ?? ana.jid, noSignal);
  await world.quiet();
  for (const { session } of [ana, ben]) {
    const [epoch] = session.sphere().epochs;
    expect(session.storage.attachments.has(epoch?.eventId ?? ('' as never), 'epoch-key')).toBe(false);
    expect(session.storage.epochs.list(sphere.id)).toHaveLength(2);
  }
});

test('the first event of a sphere waits for nobody, our others wait to be sent', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const sphere = await world.sphere(ana);
  ana.session.link.goOffline();
  ana.session.messages.say(sphere.id, 'hello');
  expect(ana.session.lines().map(({ text, state }) => `${text} ${state}`)).toEqual([
    'created received',
    'hello queued',
  ]);
});

test('a line that could not be read gives way to its event, in its place', async () => {
  const { world, ana, ben, sphere, changes } = await two();
  const { decrypt } = ben.session.omemo;
  ben.session.omemo.decrypt = () => Promise.reject(new AppError('cannot-decrypt', 'no session'));
  const id = ana.session.messages.say(sphere.id, 'one');
  await world.quiet();
  ben.session.omemo.decrypt = decrypt;
  ana.session.messages.say(sphere.id, 'two');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['(undecryptable)', 'two']);
  changes.splice(0);
  const event = ana.session.sphere().log.get(id);
  const text = ana.session.storage.attachments.get(id, 'text');
  if (event === undefined || text === undefined) throw new Error('nothing was said');
  const audience = { kind: 'device', device: ben.session.identity.device.id } as const;
  ana.session.sphere().enqueue(event, [attachment('text', text)], { audience });
  ana.session.outgoing.poke();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['one', 'two']);
  expect(changes).toEqual(['message']);
});
