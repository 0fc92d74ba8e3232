import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createPerson } from '../../test/fixtures/protocol/people.ts';
import { foundWorld } from '../../test/fixtures/protocol/sphere-world.ts';
import { event as strangeEvent, sphere as row } from '../../test/fixtures/storage-rows.ts';
import { storageOfTest } from '../../test/fixtures/storage-of-test.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { Delivery } from './delivery.ts';
import type { SignedEvent } from './protocol/event.ts';
import { SphereList } from './sphere-list.ts';

/** A sphere of Ana's that is here at Ben's; what is told her of her lines. */
function begin() {
  const { database, storage } = storageOfTest();
  const { sphereId, owner } = foundWorld();
  const own = parseBareJid('ben@two.test');
  const list = new SphereList({
    ...{ storage, author: createPerson('ben').author, own, clock: systemClock, log: silentLogger },
  });
  const sphere = list.add({ ...row, id: sphereId }, (fresh) => list.take(fresh, owner.log.events()));
  const told: number[] = [];
  const work: Promise<void>[] = [];
  const delivery = new Delivery({
    ...{ list, storage, clock: systemClock },
    channel: {
      on: () => undefined,
      say: (_sphere, _kind, body) => {
        told.push(...('marks' in body ? body.marks : []).map(({ sequence }) => sequence));
        return Promise.resolve();
      },
    },
    spawn: (_name, task) => void work.push(task(new AbortController().signal)),
  });
  const tell = async (): Promise<void> => {
    delivery.tell(sphere);
    await Promise.allSettled(work);
  };
  /** Taken in like what an archive gives, and lost at the end, as on a full disk. */
  const lose = (event: SignedEvent): void =>
    storage.gather(
      () => {
        sphere.takeAll([{ event, kept: [] }]);
        database.run('PRAGMA defer_foreign_keys = ON');
        storage.events.add({ ...strangeEvent, sphereId: 'c'.repeat(64) as typeof sphereId });
      },
      () => ({ kept: () => undefined, lost: () => sphere.reload() }),
    );
  return { owner, list, sphere, told, tell, lose };
}

test('nobody is told that a line is here which was lost on its way to the disk, nor of those after it', async () => {
  const { owner, list, sphere, told, tell, lose } = begin();
  const [first, second, third] = [owner.say('first'), owner.say('second'), owner.say('third')] as const;
  list.take(sphere, [first]);
  lose(second);
  await tell();
  await turn();
  expect(told).toEqual([]);
  list.take(sphere, [third]);
  await tell();
  expect(told).toEqual([first.header.sequence]);
  list.take(sphere, [second]);
  await tell();
  expect(told).toEqual([first.header.sequence, third.header.sequence]);
});
