import { expect, test } from 'vitest';
import { SimWorld } from './sim-world.ts';

test('a newcomer gets the whole log, everything that was said and the keys', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const ben = await world.person('ben');
  const sphere = await ana.session.members.create('Summer', new AbortController().signal);
  ana.session.messages.say(sphere.id, 'before you came');
  const itemId = await ana.share('beach.mp4');
  await world.bringIn(ana, ben);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
  expect(ben.session.texts()).toEqual(['before you came']);
  const theirs = ben.session.sphere();
  const event = ben.session.source.event(theirs, itemId);
  expect(ben.session.source.mediaKey(theirs, event)).toEqual(
    ana.session.source.mediaKey(sphere, ana.session.source.event(sphere, itemId)),
  );
  expect(ben.session.items.row(itemId).state).toBe('listed');
  ben.session.messages.say(theirs.id, 'thank you');
  await world.quiet();
  expect(ana.session.texts()).toEqual(['before you came', 'thank you']);
});
