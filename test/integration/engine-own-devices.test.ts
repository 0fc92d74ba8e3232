import { randomBytes } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseBareJid, parseItemId, parseSphereId } from '../../src/base/id.ts';
import { addItems } from '../bench/parts/many-items.ts';
import { EngineProcess, eventually } from '../fixtures/engine-process.ts';
import { EngineWorld, Person, passwordOf } from '../fixtures/engine-world.ts';

const ITEMS = process.env['SPHERECAST_LONG'] === '1' ? 1_000 : 24;
const LIMIT_MS = 1_800_000;

let world: EngineWorld;
beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben', 'carl']);
});
afterAll(async () => await world[Symbol.asyncDispose]());

/** The album as one computer has it, once it has as many items. */
const album = (person: Person, sphere: string, count: number) =>
  eventually(`the album of ${person.profile}`, async () => {
    const items = (await person.spheres()).some(({ id }) => id === sphere) ? await person.items(sphere) : [];
    return items.length === count ? items.map(({ id, name, bytes }) => ({ id, name, bytes })) : undefined;
  });

// The first three wait for other things and share at most Ben, who takes part and stays: they run side by side.
test.concurrent('a copy of a whole profile becomes a computer of its own: both go on, and everything arrives once', async () => {
  const [carl, ben] = [world.person('carl'), world.person('ben')];
  const sphere = await world.sphere('Copied', carl, ben);
  const content = randomBytes(100_000);
  const path = join(world.folder, 'kept.bin');
  await writeFile(path, content);
  const item = await carl.share(sphere, path);
  await carl.run('sync', '--wait');
  await carl.engine.stop();
  const profile = join(world.folder, 'image');
  await cp(carl.profile, profile, { recursive: true });
  await carl.restart();
  await carl.say(sphere, 'from the original');
  await ben.sees(sphere, 'from the original');

  const address = carl.address.replace(/\.\d+$/, '.90');
  await writeFile(join(profile, 'config.json'), JSON.stringify({ swarm: { addresses: [address], mapPorts: false } }));
  const engine = await EngineProcess.start({ profile });
  await using copy = new Person({ name: 'carl', jid: carl.jid, engine, options: { address } });
  const ownDevices = async (person: Person) => (await person.ask((client) => client.system.snapshot())).account;
  await eventually('the copy is told apart', async () =>
    (await ownDevices(copy))?.warnings?.includes('copied-profile') === true ? true : undefined,
  );
  await copy.say(sphere, 'from the copy');
  await carl.say(sphere, 'from the original again');
  const lines = ['from the original', 'from the copy', 'from the original again'];
  for (const person of [ben, carl, copy]) {
    for (const line of lines) await person.sees(sphere, line);
    expect((await person.texts(sphere)).toSorted()).toEqual(lines.toSorted());
  }
  expect((await ownDevices(carl))?.warnings).toEqual([]);
  expect((await ben.members(sphere)).filter(({ isForked }) => isForked)).toEqual([]);
  expect(await readFile(await ben.get(sphere, item))).toEqual(content);
  expect((await copy.items(sphere)).map(({ id, state }) => ({ id, state }))).toEqual([{ id: item, state: 'sharing' }]);
});

test.concurrent('a second computer has the album and plays it; wiped and restored from the kit alone it has the same', async () => {
  const [anna, ben] = [world.person('anna'), world.person('ben')];
  const sphere = await world.sphere('Summer', anna, ben);
  // Whom she has on her list is asked when nothing else is left.
  await anna.ask((client) => client.people.add({ jid: parseBareJid(ben.jid) }));
  const content = [randomBytes(300_000), randomBytes(200_000)] as const;
  const paths = ['hers.bin', 'his.bin'].map((name) => join(world.folder, name)) as [string, string];
  await writeFile(paths[0], content[0]);
  await writeFile(paths[1], content[1]);
  const hers = await anna.share(sphere, paths[0]);
  const his = await ben.share(sphere, paths[1]);
  await anna.say(sphere, 'from before');
  const whole = await album(anna, sphere, 2);
  const { lines } = await anna.ask((client) => client.account.kit({ password: passwordOf('anna') }));

  const laptop = await world.comeBack('anna', lines);
  expect(await album(laptop, sphere, 2)).toEqual(whole);
  expect(await readFile(await laptop.get(sphere, hers))).toEqual(content[0]);
  await laptop.sees(sphere, 'from before');
  await laptop.say(sphere, 'from the laptop');
  await Promise.all([anna.sees(sphere, 'from the laptop'), ben.sees(sphere, 'from the laptop')]);
  const { devices } = await anna.run<{ devices: { state: string }[] }>('account', 'devices');
  expect(devices.map(({ state }) => state)).toEqual(['here', 'new']);

  await Promise.all([anna, laptop].map((gone) => gone[Symbol.asyncDispose]()));
  const fresh = await world.comeBack('anna', lines);
  expect(await album(fresh, sphere, 2)).toEqual(whole);
  expect(await readFile(await fresh.get(sphere, his))).toEqual(content[1]);
  await fresh.sees(sphere, 'from before');
  // The word of the new computer may still be on its way to him.
  const logAt = async (person: Person): Promise<string> => JSON.stringify(await person.log(sphere));
  await eventually('both have the same log', async () => (await logAt(fresh)) === (await logAt(ben)) || undefined);
  expect(await fresh.log(sphere)).toEqual(await ben.log(sphere));
});

test.concurrent(
  `of an album of ${ITEMS} things a second computer has all and plays them; restored from the kit it is the same`,
  async () => {
    await using home = await EngineWorld.start(['anna', 'ben']);
    const [anna, ben] = [home.person('anna'), home.person('ben')];
    const sphere = await home.sphere('A thousand', ben, anna);
    const folder = (await ben.spheres()).find(({ id }) => id === sphere)?.folder ?? '';
    const { lines } = await ben.ask((client) => client.account.kit({ password: passwordOf('ben') }));
    await ben.run('sync', '--wait');
    await ben.engine.stop();
    await addItems(ben, parseSphereId(sphere), { seeded: ITEMS, listed: ITEMS });
    await ben.restart();
    const whole = await album(ben, sphere, ITEMS);
    /** A range of each is read before it is asked for, as a player does; every hundredth is fetched whole. */
    const takes = async (computer: Person): Promise<void> => {
      expect(await album(computer, sphere, ITEMS)).toEqual(whole);
      using engine = await computer.connect(AbortSignal.timeout(LIMIT_MS));
      for (const { id, name } of whole) {
        const which = { sphereId: parseSphereId(sphere), itemId: parseItemId(id), file: 0 };
        const { url } = await engine.client.items.playback(which);
        const response = await fetch(new URL(url, engine.origin), { headers: { range: 'bytes=5000-5999' } });
        const bytes = Buffer.from(await response.arrayBuffer());
        const original = (await readFile(join(folder, name))).subarray(5000, 6000);
        expect([name, response.status, bytes.equals(original)]).toEqual([name, 206, true]);
      }
      for (const { id, name } of whole.filter((_, index) => index % 100 === 7)) {
        expect(await readFile(await computer.get(sphere, id))).toEqual(await readFile(join(folder, name)));
      }
    };
    const laptop = await home.comeBack('ben', lines);
    await takes(laptop);
    await laptop[Symbol.asyncDispose]();
    await takes(await home.comeBack('ben', lines));
  },
  LIMIT_MS,
);

test('what is read at one computer of somebody who may not know it is read at the other one, and they hear nothing', async () => {
  const [ben, carl] = [world.person('ben'), world.person('carl')];
  const jid = { ben: parseBareJid(ben.jid), carl: parseBareJid(carl.jid) };
  const { lines } = await carl.ask((client) => client.account.kit({ password: passwordOf('carl') }));
  await using laptop = await world.comeBack('carl', lines);
  for (const person of [carl, laptop]) await person.ask((client) => client.people.open({ jid: jid.ben }));
  const { conversationId: sphereId } = (await ben.ask((client) => client.people.open({ jid: jid.carl }))).person;
  await eventually('both computers are known', async () => {
    const { devices } = await carl.run<{ devices: { state: string }[] }>('account', 'devices');
    return devices.some(({ state }) => state === 'new') ? true : undefined;
  });
  await ben.ask((client) => client.messages.say({ sphereId, text: 'are you there?' }));
  const unread = (person: Person, count: number) =>
    eventually(`${count} unread at ${person.profile}`, async () => {
      const { people } = await person.ask((client) => client.people.list());
      return people.find((one) => one.jid === jid.ben)?.unread === count ? true : undefined;
    });
  await Promise.all([carl, laptop].map((person) => unread(person, 1)));
  await carl.ask((client) => client.people.markRead({ jid: jid.ben }));
  await Promise.all([carl, laptop].map((person) => unread(person, 0)));
  await ben.sync();
  const { messages } = await ben.ask((client) => client.messages.list({ sphereId }));
  expect(messages.map(({ state }) => state)).toEqual(['sent']);
});

test('with nobody there the kit alone brings a sphere back, and its film with whoever has it', async () => {
  const [ben, carl] = [world.person('ben'), world.person('carl')];
  const sphere = await world.sphere('Winter', carl, ben);
  const content = randomBytes(200_000);
  const path = join(world.folder, 'snow.bin');
  await writeFile(path, content);
  const item = await carl.share(sphere, path);
  const { lines } = await ben.ask((client) => client.account.kit({ password: passwordOf('ben') }));
  await ben.run('sync', '--wait');
  await ben[Symbol.asyncDispose]();
  await carl.engine.stop();

  const fresh = await world.comeBack('ben', lines);
  const found = await eventually('the sphere is listed', async () =>
    (await fresh.spheres()).find(({ id }) => id === sphere),
  );
  expect(found.name).toBe('Winter');
  expect(await fresh.items(sphere)).toEqual([]);
  await fresh.say(sphere, 'back again');
  await carl.restart();
  await carl.sees(sphere, 'back again');
  expect(await album(fresh, sphere, 1)).toEqual([{ id: item, name: 'snow.bin', bytes: content.length }]);
  expect(await readFile(await fresh.get(sphere, item))).toEqual(content);
});
