import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type * as z from 'zod';
import type { doctorShape } from '../../src/cli/doctor-shape.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { hasProsody } from '../fixtures/prosody.ts';

async function ports(person: Person): Promise<string[]> {
  const report = await person.run<z.infer<typeof doctorShape>>('doctor');
  return (report.network?.ports ?? []).map(({ purpose }) => purpose);
}

test.skipIf(!hasProsody())(
  'who has switched the tracker off has none, and gives and gets items all the same',
  async () => {
    await using world = await EngineWorld.start(['anna', 'ben']);
    const [anna, ben] = [world.person('anna'), world.person('ben')];
    await anna.run('settings', 'set', 'network.tracker', 'false');
    expect(await anna.run('settings', 'get', 'network.tracker')).toEqual({ settings: { 'network.tracker': false } });
    await anna.engine.stop();
    await anna.restart();
    await anna.sync();
    const sphere = await world.sphere('Summer', anna, ben);
    expect([await ports(anna), await ports(ben)]).toEqual([['data'], ['data', 'tracker']]);
    const ways = [
      [anna, ben],
      [ben, anna],
    ] as const;
    for (const [from, to] of ways) {
      const path = join(world.folder, `of ${from.name}.txt`);
      await writeFile(path, `from ${from.name} `.repeat(50_000));
      const item = await from.share(sphere, path);
      await to.item(sphere, item);
      expect(await readFile(await to.get(sphere, item), 'utf8')).toBe(await readFile(path, 'utf8'));
    }
  },
);
