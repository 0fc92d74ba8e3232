import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { swarmKeys } from './swarm-keys.ts';

test('after a removal nobody is found by the key that the removed hold, which still opens to those on the list', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const [known] = swarmKeys(sphere);
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.quiet();
  const keys = swarmKeys(ana.session.sphere());
  expect(keys.map(({ admission }) => admission)[1]).toEqual(known?.admission);
  for (const { tracker, lan } of keys) {
    expect(tracker).not.toEqual(known?.tracker);
    expect(lan).not.toEqual(known?.lan);
  }
});
