import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ItemView } from '../../src/contract/views.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';

/** A copy that nobody uses is looked at every now and then only. */
const LOOKED_AT_MS = 90_000;
let world: EngineWorld;
let anna: Person;
let ben: Person;
let sphere: string;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben']);
  [anna, ben] = [world.person('anna'), world.person('ben')];
  sphere = await world.sphere('Cinema', anna, ben);
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** Sees the edit by itself, or is told to look. */
async function edited(person: Person, item: string, path: string, content: string, isTold = true): Promise<void> {
  await writeFile(path, content);
  // It may have been seen before it is told, and says so then.
  if (isTold) await person.run('recheck', sphere, item).catch(() => undefined);
  await eventually(
    'the edit is seen',
    async () => (await person.items(sphere)).find(({ id, state }) => id === item && state === 'changed'),
    LOOKED_AT_MS,
  );
}

const give = (person: Person, item: string, fate: string): Promise<{ item: { id: string } }> =>
  person.run('edited', sphere, item, fate);

const at = (person: Person, id: string): Promise<ItemView> => person.item(sphere, id);

test(
  'edited files reach the others at the word of whoever edited them, and take nothing from anybody',
  { timeout: 4 * LOOKED_AT_MS },
  async () => {
    const path = join(world.folder, 'beach.txt');
    await writeFile(path, 'the beach');
    const original = await anna.share(sphere, path);
    await ben.item(sphere, original);
    const copy = await ben.get(sphere, original);

    await edited(ben, original, copy, 'the beach, and Ben', false);
    expect((await anna.items(sphere)).map(({ id }) => id)).toEqual([original]);
    const { item: bens } = await give(ben, original, 'share');
    const shown = await at(anna, bens.id);
    expect(shown).toMatchObject({ basedOn: { name: 'beach.txt' }, earlierPath: null });
    expect(await readFile(await anna.get(sphere, bens.id), 'utf8')).toBe('the beach, and Ben');
    expect(await at(ben, original)).toMatchObject({ state: 'listed', path: null });

    const again = await ben.get(sphere, original);
    expect([again === copy, await readFile(again, 'utf8'), await readFile(copy, 'utf8')]).toEqual([
      false,
      'the beach',
      'the beach, and Ben',
    ]);

    await edited(anna, original, path, 'the beach in the evening');
    // Whoever is impatient asks twice.
    const twice = await Promise.allSettled([give(anna, original, 'share'), give(anna, original, 'share')]);
    const evenings = twice.flatMap((one) => (one.status === 'fulfilled' ? [one.value.item] : []));
    const evening = evenings[0] ?? { id: '' };
    expect(evenings.every(({ id }) => id === evening.id)).toBe(true);
    expect((await anna.items(sphere)).map(({ id }) => id).toSorted()).toEqual([bens.id, evening.id].toSorted());
    expect(await at(ben, evening.id)).toMatchObject({ state: 'listed', earlierPath: again });
    expect((await ben.items(sphere)).map(({ id }) => id)).not.toContain(original);
    const newest = await ben.get(sphere, evening.id);
    expect(await readFile(newest, 'utf8')).toBe('the beach in the evening');
    expect(await readFile(again, 'utf8')).toBe('the beach');

    await edited(ben, evening.id, newest, 'mine alone');
    await give(ben, evening.id, 'keep');
    expect(await at(ben, evening.id)).toMatchObject({ state: 'listed', path: null });
    await ben.engine.stop();
    await ben.restart();
    await ben.sync();
    expect((await anna.items(sphere)).map(({ id }) => id).toSorted()).toEqual([bens.id, evening.id].toSorted());
    expect(await readFile(newest, 'utf8')).toBe('mine alone');
  },
);
