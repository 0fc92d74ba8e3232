import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { freePort } from '../fixtures/free-port.ts';
import { hasProsody } from '../fixtures/prosody.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test.skipIf(!hasProsody())(
  'a computer that is left on gives a newcomer everything after the sharer is gone, also through its other port',
  async () => {
    await using world = await EngineWorld.start(['anna', 'box', 'zoe']);
    const [anna, box, zoe] = [world.person('anna'), world.person('box'), world.person('zoe')];
    const also = await freePort(box.address);
    await box.engine.stop();
    await box.restart({ serveArguments: ['--keep-everything', '--also-port', String(also)] });
    const sphere = await world.sphere('Summer', anna, box);
    const content = randomBytes(5 * 1024 * 1024);
    const path = join(world.folder, 'film.mp4');
    await writeFile(path, content);
    const item = await anna.share(sphere, path);
    await box.item(sphere, item, ({ state }) => state === 'complete');

    await world.bringIn(sphere, 'Summer', anna, zoe);
    await anna.engine.killHard();
    expect(sha256(await readFile(await zoe.get(sphere, item)))).toBe(sha256(content));

    // Members whose network lets nothing else through come in there.
    const socket = net.connect(also, box.address);
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    expect(isOpen).toBe(true);
  },
  120_000,
);
