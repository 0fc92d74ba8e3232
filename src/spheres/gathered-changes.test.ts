import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createPerson } from '../../test/fixtures/protocol/people.ts';
import { event, sphere as row } from '../../test/fixtures/storage-rows.ts';
import { storageOfTest } from '../../test/fixtures/storage-of-test.ts';
import type { EventId, SphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { GatheredChanges } from './gathered-changes.ts';
import { Sphere } from './sphere.ts';

/** Two spheres in one database; which lines were told of, and which spheres were read again. */
function begin() {
  const { database, storage } = storageOfTest();
  const author = createPerson('ana').author;
  const reloaded: string[] = [];
  const told: string[][] = [];
  const open = (id: SphereId): Sphere => {
    storage.spheres.put({ ...row, id });
    const sphere = new Sphere({ id, storage, author, clock: systemClock, find: () => undefined });
    sphere.onReload.on(() => void reloaded.push(id));
    return sphere;
  };
  const spheres = [open('a'.repeat(64) as SphereId), open('b'.repeat(64) as SphereId)] as const;
  const changes = new GatheredChanges({
    storage,
    onChanges: (_sphere, all) => told.push(all.map((one) => ('id' in one ? one.id : one.kind))),
    log: silentLogger,
  });
  const take = (sphere: Sphere, id: string, after: () => void = () => undefined): void => {
    const work = (): void => {
      storage.seen.add('s', id, 0);
      after();
    };
    changes.gather(work);
    changes.add(sphere, [{ kind: 'message', id: id as EventId }]);
  };
  /** What is found at the end of the transaction only, as a full disk is: an event of a sphere that is not there. */
  const spoil = (): void => {
    database.run('PRAGMA defer_foreign_keys = ON');
    storage.events.add({ ...event, sphereId: 'c'.repeat(64) as SphereId });
  };
  return { storage, spheres, take, spoil, told, reloaded };
}

test('what is gathered before the last is told is told only when it is kept itself', async () => {
  const { storage, spheres, take, spoil, told, reloaded } = begin();
  take(spheres[0], 'first');
  storage.keep();
  // Nobody has been told of the first yet.
  take(spheres[1], 'second', spoil);
  await Promise.resolve();
  expect(told).toEqual([['first']]);
  await turn();
  await turn();
  expect([told, reloaded]).toEqual([[['first']], [spheres[1].id]]);
});

test('what is gathered without a pause is told in one word for each sphere', async () => {
  const { spheres, take, told, reloaded } = begin();
  take(spheres[0], 'first');
  take(spheres[1], 'second');
  take(spheres[0], 'third');
  await turn();
  await turn();
  expect([told, reloaded]).toEqual([[['first', 'third'], ['second']], []]);
});
