import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSphereId } from '../../src/base/id.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import { FORGETS_SESSIONS } from '../fixtures/prosody.ts';

/** What Debian's Prosody lets through per connection: mail alone would take minutes. */
const AS_IN_DEBIAN = 'limits = { c2s = { rate = "10kb/s"; burst = "2s" } }';
interface Past {
  readonly lines: number;
  readonly lineBytes: number;
}
const isLong = process.env['SPHERECAST_LONG'] === '1';
/** More than mail carries at once, in as many lines as years have or, which takes a fraction of the time, in fewer longer ones. */
const YEARS: Past = isLong ? { lines: 400, lineBytes: 600 } : { lines: 120, lineBytes: 2_400 };
/** Bare events hold nothing of what was said: only in the long run they are more than mail carries at once. */
const BARE: Past = { lines: isLong ? 600 : 150, lineBytes: 30 };
/** What does not pack, and in which no number stands alone: what people write packs little. */
const words = (bytes: number): string => randomBytes(bytes).toString('base64').replace(/\W/g, 'x');
/** A machine so busy that swarm processes are taken for dead gets it by mail, at the server's pace. */
const WITHIN_MS = 200_000;
const TEST_MS = 480_000;
const START_MS = 300_000;

let world: EngineWorld;
beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben', 'carl'], { globalLines: `${AS_IN_DEBIAN}\n${FORGETS_SESSIONS}` });
}, START_MS);
afterAll(async () => await world[Symbol.asyncDispose]());

/** A sphere in which one has said much before anybody else came. */
async function longSphere(owner: Person, history: 'all' | 'from-join', { lines, lineBytes }: Past): Promise<string> {
  const { sphere } = await owner.ask((client) => client.spheres.create({ name: `Years, ${history}`, history }));
  for (let from = 0; from < lines; from += 100) {
    await owner.ask(async (client) => {
      for (let number = from; number < Math.min(from + 100, lines); number += 1) {
        await client.messages.say({ sphereId: parseSphereId(sphere.id), text: `line ${number} ${words(lineBytes)}` });
      }
    });
  }
  return sphere.id;
}

async function comeIn(sphere: string, history: string, by: Person, who: Person): Promise<void> {
  await by.invite(sphere, who.jid);
  await who.join(await who.invitation(`Years, ${history}`));
}

/** Resolves when both have the same log; how many seconds that took. */
async function alike(sphere: string, who: Person, as: Person): Promise<number> {
  const startMs = performance.now();
  const ofThis = async (person: Person) => {
    const isThere = (await person.spheres()).some(({ id }) => id === sphere);
    return isThere ? await person.log(sphere) : [];
  };
  const areAlike = async () => {
    const [theirs, ours] = [await ofThis(who), await ofThis(as)];
    // As many may still be others.
    return theirs.map(({ id }) => id).join() === ours.map(({ id }) => id).join() ? { theirs, ours } : undefined;
  };
  const { theirs, ours } = await eventually(`${who.name} has the whole log`, areAlike, WITHIN_MS);
  expect(theirs).toEqual(ours);
  return (performance.now() - startMs) / 1000;
}

async function packFiles({ profile }: Person): Promise<string[]> {
  const names = await readdir(join(profile, 'accounts'), { recursive: true });
  return names.filter((name) => name.endsWith('.pack')).map((name) => join(profile, 'accounts', name));
}

/** A part of the pack is on its disk. */
async function hasBegun(person: Person): Promise<true | undefined> {
  const [path] = await packFiles(person);
  return path !== undefined && (await stat(path)).size > 0 ? true : undefined;
}

async function haveForgotten(...people: readonly Person[]): Promise<true | undefined> {
  const left = await Promise.all(people.map((person) => packFiles(person)));
  return left.flat().length === 0 ? true : undefined;
}

async function killAndRestart(person: Person): Promise<void> {
  await person.engine.killHard();
  await person.restart();
}

const finds = async (person: Person): Promise<string[]> =>
  (await person.finds('line 114')).map((text) => text.slice(0, 8));

test(
  'a member and then a new computer get the log of years in seconds, though both ends are killed in the middle',
  async () => {
    const [anna, ben] = [world.person('anna'), world.person('ben')];
    const sphere = await longSphere(anna, 'all', YEARS);
    const content = randomBytes(50_000);
    const path = join(world.folder, 'old.bin');
    await writeFile(path, content);
    const item = await anna.share(sphere, path);
    await ben.run('limit', '--down', '60000');
    await comeIn(sphere, 'all', anna, ben);
    await eventually('the pack begins to arrive', () => hasBegun(ben), WITHIN_MS);
    await killAndRestart(ben);
    await killAndRestart(anna);
    await ben.run('limit', '--down', '0');
    const seconds = await alike(sphere, ben, anna);
    await eventually('both forget the pack', () => haveForgotten(anna, ben), WITHIN_MS);
    expect(await finds(ben)).toEqual(['line 114']);
    expect(await readFile(await ben.get(sphere, item))).toEqual(content);

    const { lines } = await anna.ask((client) => client.account.kit({ password: passwordOf('anna') }));
    const laptop = await world.comeBack('anna', lines);
    const later = await alike(sphere, laptop, anna);
    expect(await finds(laptop)).toEqual(['line 114']);
    console.info(`after the restarts ${seconds.toFixed(1)} s, a new computer ${later.toFixed(1)} s`);
  },
  TEST_MS,
);

test(
  'to whom the past is not open gets its bare events in seconds too, and reads nothing of them',
  async () => {
    const [ben, carl] = [world.person('ben'), world.person('carl')];
    const sphere = await longSphere(ben, 'from-join', BARE);
    await comeIn(sphere, 'from-join', ben, carl);
    const seconds = await alike(sphere, carl, ben);
    expect([await carl.texts(sphere), await finds(carl)]).toEqual([[], []]);
    await ben.say(sphere, 'welcome');
    await carl.sees(sphere, 'welcome');
    console.info(`a member from now on ${seconds.toFixed(1)} s`);
  },
  TEST_MS,
);
