import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { sha256 } from './cell.ts';
import { LabWorld } from './lab-world.ts';
import { whyNoLab } from './network-lab.ts';

const reason = (await whyNoLab()) ?? missingPrograms('prosody', 'openssl', 'turnserver');
if (reason !== undefined) console.warn(`SKIPPED: members without a server: ${reason}`);

const BYTES = 8 * 1024 * 1024;

describe.skipIf(reason !== undefined)('without any server', () => {
  test('engines that start while the internet is away find each other in their own network and finish a download', async () => {
    const plan = { homes: { a: 'cone,hosts=2' }, people: { sharer: 'a1', receiver: 'a2' } };
    await LabWorld.with(plan, async (world) => {
      const [sharer, receiver] = [world.person('sharer'), world.person('receiver')];
      const sphere = await world.sphere('Films', sharer, receiver);
      const file = path.join(world.lab.folder, 'film.bin');
      await writeFile(file, randomBytes(BYTES));
      const item = await sharer.share(sphere, file);
      await receiver.item(sphere, item);
      await Promise.all([sharer.engine.stop(), receiver.engine.stop()]);
      await world.lab.cut('a');

      const begin = performance.now();
      await Promise.all([sharer.restart(), receiver.restart()]);
      const arrived = await receiver.get(sphere, item);
      console.log(`started without a server, item there after ${Math.round(performance.now() - begin)} ms`);
      expect(await sha256(arrived)).toBe(await sha256(file));
      const { account } = await receiver.ask((client) => client.system.status());
      expect(account?.state).not.toBe('online');
    });
  });
});
