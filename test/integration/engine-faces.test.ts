import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseBareJid, parseItemId, parseSphereId } from '../../src/base/id.ts';
import { locateProfile, readEngineFile } from '../../src/engine/profile.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';

/** Names and pictures of people, and what they say about an item, through a real server. */

/** News of people are asked for when a session is twenty seconds old. */
const NEWS_MS = 60_000;

let world: EngineWorld;
let anna: Person;
let ben: Person;
let eve: Person;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben', 'eve']);
  [anna, ben, eve] = [world.person('anna'), world.person('ben'), world.person('eve')];
  await anna.run('person', 'add', ben.jid);
  await eventually('the request', async () => {
    const { people } = await ben.ask((client) => client.people.list());
    return people.some(({ wants }) => wants) ? true : undefined;
  });
  await ben.run('person', 'add', anna.jid);
});

afterAll(async () => await world[Symbol.asyncDispose]());

const pictureAt = async (at: Person, of: Person): Promise<string | null> => {
  const { pictures } = await at.ask((client) => client.system.snapshot());
  return pictures.find(({ jid }) => jid === of.jid)?.url ?? null;
};
const nameAt = async (at: Person, of: Person): Promise<string | undefined> => {
  const { people } = await at.ask((client) => client.people.list());
  return people.find(({ jid }) => jid === of.jid)?.name;
};

test('who is on the list gets name and picture, also after a restart; a member who is not gets neither', async () => {
  const file = join(world.folder, 'anna.jpg');
  const blank = { width: 1200, height: 800, channels: 3, background: '#e07a3f' } as const;
  await writeFile(file, await sharp({ create: blank }).jpeg().toBuffer());
  const sphere = await world.sphere('Family', anna, ben, eve);
  await anna.run('account', 'picture', file);
  await anna.run('account', 'name', 'Annabelle');
  const url = await eventually('ben sees anna', async () => (await pictureAt(ben, anna)) ?? undefined, NEWS_MS);
  await eventually('her name', async () => ((await nameAt(ben, anna)) === 'Annabelle' ? true : undefined), NEWS_MS);
  const member = (await ben.members(sphere)).find(({ jid }) => jid === anna.jid);
  expect(member?.name).toBe('Annabelle');
  const { url: engine, token } = readEngineFile(locateProfile(ben.profile)) ?? { url: '', token: '' };
  const answer = await fetch(`${engine}${url}`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.headers.get('content-type')).toBe('image/webp');
  const { width, height } = await sharp(Buffer.from(await answer.arrayBuffer())).metadata();
  expect([width, height]).toEqual([192, 192]);
  await ben.engine.killHard();
  await ben.restart();
  expect(await pictureAt(ben, anna)).toBe(url);
  expect(await nameAt(ben, anna)).toBe('Annabelle');
  expect(await pictureAt(eve, anna)).toBeNull();
  expect((await eve.members(sphere)).find(({ jid }) => jid === anna.jid)?.name).toBe('Anna');
});

test('a picture that is taken away is gone at the others, and what is none is refused', async () => {
  const text = join(world.folder, 'anna.svg');
  await writeFile(text, '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  expect(await anna.failure('account', 'picture', text)).toBe('bad-input');
  expect(await pictureAt(anna, anna)).not.toBeNull();
  await anna.run('account', 'picture');
  await eventually('it is gone', async () => ((await pictureAt(ben, anna)) === null ? true : undefined), NEWS_MS);
  expect(await pictureAt(anna, anna)).toBeNull();
});

test('a comment on an item reaches everybody, beside the item and in the chat', async () => {
  const sphereId = parseSphereId((await anna.spheres())[0]?.id ?? '');
  const file = join(world.folder, 'lake.txt');
  await writeFile(file, 'a lake');
  const itemId = parseItemId(await anna.share(sphereId, file));
  await eventually('ben has the item', async () => ((await ben.items(sphereId)).length > 0 ? true : undefined));
  const { lineId } = await ben.ask((client) => client.messages.comments({ sphereId, itemId }));
  await ben.ask((client) => client.messages.say({ sphereId, text: 'Cold!', replyTo: lineId }));
  const [comment] = await eventually('anna reads it', async () => {
    const { messages } = await anna.ask((client) => client.messages.comments({ sphereId, itemId }));
    return messages.length > 0 ? messages : undefined;
  });
  expect(comment).toMatchObject({ text: 'Cold!', from: parseBareJid(ben.jid), replyTo: { id: lineId, kind: 'item' } });
  expect(await anna.texts(sphereId)).toEqual(['Cold!']);
});
