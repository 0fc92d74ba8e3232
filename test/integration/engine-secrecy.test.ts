import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { openNetworkRecorder, type NetworkRecorder } from '../fixtures/network-recorder.ts';
import { findCanaries } from '../fixtures/packet-capture.ts';

const CANARY_EVERY = 64 * 1024;
/** Two engines, a server and a whole conversation, on a machine that may be busy. */
const WHOLE_STORY_MS = 180_000;

interface Canaries {
  readonly sphere: string;
  readonly file: string;
  readonly text: string;
  readonly media: string;
}

/** What an observer of the server and of the network holds after one family has used the product. */
interface Observed {
  readonly server: Buffer;
  readonly network: Buffer;
}

async function observe(
  canaries: Canaries,
  world: EngineWorld,
  recorder: NetworkRecorder,
  plain: boolean,
): Promise<Observed> {
  const [anna, ben] = [world.person('anna'), world.person('ben')];
  await using recording = await recorder.all([anna.address, ben.address], world.prosody);
  const sphere = await world.sphere(canaries.sphere, anna, ben);
  const content = randomBytes(3 * 1024 * 1024);
  for (let at = 100; at + canaries.media.length < content.length; at += CANARY_EVERY) content.write(canaries.media, at);
  const path = join(world.folder, `${canaries.file}.mp4`);
  await writeFile(path, content);
  const item = await anna.share(sphere, path, plain);
  await ben.item(sphere, item);
  expect((await readFile(await ben.get(sphere, item))).equals(content)).toBe(true);
  await anna.say(sphere, `dinner at ${canaries.text}`);
  await ben.sees(sphere, `dinner at ${canaries.text}`);
  await Promise.all([anna.sync(), ben.sync()]);
  const network = await recording.bytes();
  await world.prosody.pause();
  return { server: await everythingBelow(world.prosody.folder), network };
}

async function everythingBelow(folder: string): Promise<Buffer> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file))));
}

const canary = (word: string): string => `${word}-${randomBytes(9).toString('hex')}`;
const newCanaries = (): Canaries => ({
  sphere: canary('Grandchildren'),
  file: canary('first-steps'),
  text: canary('eight'),
  media: canary('pixels'),
});

test(
  'server and network hold nothing of names, texts and films',
  async () => {
    const canaries = newCanaries();
    await using recorder = await openNetworkRecorder();
    await using world = await EngineWorld.start(['anna', 'ben'], { recorder });
    const { server, network } = await observe(canaries, world, recorder, false);
    // The whole film went over the recorded network, and the server keeps the conversation.
    expect(network.length).toBeGreaterThan(3 * 1024 * 1024);
    expect(server.includes('urn:spherecast:sealed:0')).toBe(true);
    expect(findCanaries(server, Object.values(canaries))).toEqual([]);
    expect(findCanaries(network, Object.values(canaries))).toEqual([]);
  },
  WHOLE_STORY_MS,
);

test(
  'the same search finds all of it once nothing is sealed',
  async () => {
    const canaries = newCanaries();
    const program = new URL('../fixtures/unsealed-engine.ts', import.meta.url);
    await using recorder = await openNetworkRecorder();
    await using world = await EngineWorld.start(['anna', 'ben'], { program, recorder });
    const { server, network } = await observe(canaries, world, recorder, true);
    expect(findCanaries(server, Object.values(canaries))).toEqual([canaries.sphere, canaries.file, canaries.text]);
    expect(findCanaries(network, Object.values(canaries))).toEqual([canaries.file, canaries.media]);
  },
  WHOLE_STORY_MS,
);
