import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { hasProsody } from '../fixtures/prosody.ts';

const FILES = 300;
/** The usual limit of macOS. */
const FEW = ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh'];
const content = (number: number): string => `picture ${number} `.repeat(200);

test.skipIf(!hasProsody() || process.platform !== 'linux')(
  'a folder of 300 files is shared and fetched by processes that may have 256 files open',
  async () => {
    await using world = await EngineWorld.start(['anna', 'ben']);
    const [anna, ben] = [world.person('anna'), world.person('ben')];
    await Promise.all(
      [anna, ben].map(async (person) => {
        await person.engine.stop();
        await person.restart({ inside: FEW });
        await person.sync();
      }),
    );
    const sphere = await world.sphere('Summer', anna, ben);
    const folder = join(world.folder, 'album');
    await mkdir(folder);
    const numbers = Array.from({ length: FILES }, (_, number) => number);
    for (const number of numbers) await writeFile(join(folder, `${number}.jpg`), content(number));
    const item = await anna.share(sphere, folder);
    await ben.item(sphere, item);
    const copy = await ben.get(sphere, item);
    const wrong: number[] = [];
    for (const number of numbers) {
      if ((await readFile(join(copy, `${number}.jpg`), 'utf8')) !== content(number)) wrong.push(number);
    }
    expect(wrong).toEqual([]);
    const limits = await readFile(`/proc/${ben.engine.pid}/limits`, 'utf8');
    expect(/Max open files +(\d+)/.exec(limits)?.[1]).toBe('256');
  },
  120_000,
);
