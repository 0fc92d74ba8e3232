import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { eventually } from '../fixtures/engine-process.ts';

let world: EngineWorld;
let anna: Person;
let ben: Person;
let sphere: string;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben']);
  [anna, ben] = [world.person('anna'), world.person('ben')];
  sphere = await world.sphere('Kitchen', anna, ben);
});

afterAll(async () => await world[Symbol.asyncDispose]());

/** Lines of people and items, in the order in which they are shown. */
async function lines(person: Person): Promise<string[]> {
  const messages = await person.messages(sphere);
  return messages.filter(({ kind }) => kind !== 'notice').map(({ kind, text }) => `${kind}: ${text}`);
}

test('a member who was away gets everything on return: in order, once, with keys', async () => {
  expect(await ben.engine.stop()).toBe(0);
  const path = join(world.folder, 'while-away.bin');
  const content = randomBytes(200_000);
  await writeFile(path, content);
  for (const text of ['one', 'two', 'three']) await anna.say(sphere, text);
  const item = await anna.share(sphere, path);
  for (const text of ['four', 'five']) await anna.say(sphere, text);
  await anna.sync();

  await ben.restart();
  await ben.sees(sphere, 'five');
  const expected = await lines(anna);
  expect(expected.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'text: one',
    'text: two',
    'text: three',
    'item: 📎',
    'text: four',
    'text: five',
  ]);
  expect(await lines(ben)).toEqual(expected);
  expect(await readFile(await ben.get(sphere, item))).toEqual(content);

  await ben.engine.stop();
  await ben.restart();
  await ben.sync();
  expect(await lines(ben)).toEqual(expected);
  expect(await ben.log(sphere)).toEqual(await anna.log(sphere));
  expect(await ben.finds('AWAY bin')).toEqual(['while-away.bin']);
  expect(await ben.finds('thr')).toEqual(['three']);
});

test("what two people type at the same time arrives whole, everyone's lines in their order", async () => {
  const said = { a: ['a1', 'a2', 'a3'], b: ['b1', 'b2', 'b3'] };
  const say = async (person: Person, texts: readonly string[]): Promise<void> => {
    for (const text of texts) await person.say(sphere, text);
  };
  await Promise.all([say(anna, said.a), say(ben, said.b)]);
  await Promise.all([anna.sees(sphere, 'b3'), ben.sees(sphere, 'a3')]);
  for (const person of [anna, ben]) {
    const texts = await person.texts(sphere);
    expect(texts.filter((text) => /^a\d$/.test(text))).toEqual(said.a);
    expect(texts.filter((text) => /^b\d$/.test(text))).toEqual(said.b);
  }
  await Promise.all([anna.sync(), ben.sync()]);
  expect(await ben.log(sphere)).toEqual(await anna.log(sphere));
});

test('a message typed while the server is down leaves once it is back, and once only', async () => {
  await world.prosody.pause();
  const said = await anna.run<{ state: string }>('say', sphere, 'into the void');
  expect(said.state).toBe('queued');
  expect(await anna.attempt('sync')).toMatchObject({ code: 0, stdout: `${JSON.stringify({ idle: false })}\n` });
  expect(await lines(ben)).not.toContain('text: into the void');
  await world.prosody.restart();
  await ben.sees(sphere, 'into the void');
  const stateOf = async () => (await anna.messages(sphere)).find(({ text }) => text === 'into the void')?.state;
  await eventually('that Ben has it', async () => ((await stateOf()) === 'delivered' ? true : undefined));
  await Promise.all([anna.sync(), ben.sync()]);
  expect((await lines(ben)).filter((line) => line === 'text: into the void')).toHaveLength(1);
  expect((await lines(anna)).filter((line) => line === 'text: into the void')).toHaveLength(1);
});

test('an engine killed right after a message was typed sends it when it is started again', async () => {
  await anna.say(sphere, 'last words');
  await anna.engine.killHard();
  await anna.restart();
  await ben.sees(sphere, 'last words');
  await Promise.all([anna.sync(), ben.sync()]);
  expect((await lines(ben)).filter((line) => line === 'text: last words')).toHaveLength(1);
});
