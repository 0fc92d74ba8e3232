import { randomBytes, randomInt } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import type { ContactView } from '../../src/contract/people.ts';
import { makeTestCa } from '../fixtures/certificates.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import type { Person } from '../fixtures/engine-world.ts';
import type { Prosody } from '../fixtures/prosody.ts';
import { startProsody } from '../fixtures/prosody.ts';

let world: EngineWorld;
let there: Prosody;
const stack = new AsyncDisposableStack();
const NEW = parseBareJid('benoit@b.test');

beforeAll(async () => {
  const network = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const federation = { 'a.test': `${network}.2`, 'b.test': `${network}.3` };
  const ca = stack.use(await makeTestCa());
  const users = { benoit: passwordOf('ben') };
  const shared = { ca, federation };
  there = stack.use(await startProsody({ domain: 'b.test', address: federation['b.test'], users, ...shared }));
  const more = { users: { bernard: passwordOf('ben') } };
  const options = { domain: 'a.test', address: federation['a.test'], ...more, ...shared };
  world = stack.use(await EngineWorld.start(['anna', 'ben', 'carl'], options));
}, 120_000);
afterAll(async () => await stack.disposeAsync());

const contact = async (person: Person, jid: string): Promise<ContactView | undefined> =>
  (await person.ask((client) => client.people.list())).people.find((one) => one.jid === jid);

async function befriend(one: Person, other: Person): Promise<void> {
  await one.ask((client) => client.people.add({ jid: parseBareJid(other.jid) }));
  await eventually('the request', async () => (await contact(other, one.jid))?.wants === true || undefined);
  await other.ask((client) => client.people.add({ jid: parseBareJid(one.jid) }));
  const isMutual = async (): Promise<true | undefined> =>
    (await contact(one, other.jid))?.subscription === 'both' || undefined;
  await eventually('both see each other', isMutual);
}

const members = async (person: Person, sphere: string): Promise<string[]> =>
  (await person.members(sphere)).map(({ jid, role, state }) => `${jid} ${role} ${state}`);

const moveTo = (person: Person, jid: string, server: Prosody, ...more: string[]) =>
  person.engine.command(
    [
      ...['--timeout', '90', 'account', 'move', jid, '--password-stdin', ...more],
      ...['--server', `${server.host}:${server.c2sPort}`, '--ca', server.caFile],
    ],
    passwordOf('ben'),
  );

test('a person who moves to another server keeps spheres, people and talks, and is followed by those who know them', async () => {
  const [anna, ben, carl] = [world.person('anna'), world.person('ben'), world.person('carl')];
  await Promise.all([befriend(anna, ben), befriend(carl, ben)]);
  await carl.ask((client) => client.people.rename({ jid: parseBareJid(ben.jid), name: 'Our Ben' }));
  const sphere = await world.sphere('Summer', anna, ben);
  const content = randomBytes(200_000);
  const path = join(world.folder, 'beach.bin');
  await writeFile(path, content);
  const item = await anna.share(sphere, path);
  await ben.say(sphere, 'from the old account');
  const talk = (await contact(ben, anna.jid))?.conversationId ?? '';
  await ben.say(talk, 'only for you');
  const atAnna = (await contact(anna, ben.jid))?.conversationId ?? '';
  await anna.sees(atAnna, 'only for you');

  await moveTo(ben, NEW, there);
  const account = await eventually('ben is online at the new account', async () => {
    const found = (await ben.ask((client) => client.system.snapshot())).account;
    return found?.state === 'online' ? found : undefined;
  });
  expect(account.jid).toBe(NEW);
  const expected = ['anna@a.test owner joined', 'benoit@b.test member joined'];
  for (const person of [anna, ben]) {
    await eventually(`the members at ${person.name}`, async () =>
      (await members(person, sphere)).join() === expected.join() ? true : undefined,
    );
  }
  await ben.say(sphere, 'from the new account');
  await anna.say(sphere, 'there you are');
  await Promise.all([anna.sees(sphere, 'from the new account'), ben.sees(sphere, 'there you are')]);
  expect(await readFile(await ben.get(sphere, item))).toEqual(content);

  // Nobody goes along without being asked, whether a sphere says it or the old account.
  await eventually('anna is asked', async () => (await contact(anna, NEW))?.movedFrom?.isConfirmed || undefined);
  expect((await contact(anna, ben.jid))?.conversationId).toBe(atAnna);
  await anna.ask((client) => client.people.follow({ jid: NEW }));
  const moved = await eventually('anna has the new address', async () => {
    const found = await contact(anna, NEW);
    return found?.subscription === 'both' ? found : undefined;
  });
  expect(await contact(anna, ben.jid)).toBeUndefined();
  expect(await anna.texts(moved.conversationId)).toEqual(['only for you']);
  const annas = await eventually('anna is on the new list', async () => await contact(ben, anna.jid));
  await anna.say(moved.conversationId, 'still us');
  await ben.sees(annas.conversationId, 'still us');

  const asked = await eventually('carl is asked', async () => {
    const found = await contact(carl, NEW);
    return (found?.movedFrom ?? null) === null ? undefined : found;
  });
  expect(asked).toMatchObject({ standing: 'request', movedFrom: { jid: ben.jid, name: 'Our Ben', isConfirmed: true } });
  await carl.ask((client) => client.people.follow({ jid: NEW }));
  await eventually('carl follows', async () => (await contact(carl, NEW))?.subscription === 'both' || undefined);
  expect(await contact(carl, NEW)).toMatchObject({ standing: 'contact', name: 'Our Ben', movedFrom: null });
  expect(await contact(carl, ben.jid)).toBeUndefined();

  await ben.engine.stop();
  await ben.restart();
  await ben.say(sphere, 'after a new start');
  await anna.sees(sphere, 'after a new start');
}, 240_000);

test('somebody whose server is gone for good is let in again under an account at another one', async () => {
  const [anna, ben] = [world.person('anna'), world.person('ben')];
  const sphere = (await anna.spheres()).find(({ name }) => name === 'Summer')?.id ?? '';
  await there[Symbol.asyncDispose]();
  await moveTo(ben, 'bernard@a.test', world.prosody, '--lost');
  await eventually('ben is in', async () =>
    (await members(anna, sphere)).includes('bernard@a.test member joined') &&
    (await ben.spheres()).find(({ id }) => id === sphere)?.state === 'joined'
      ? true
      : undefined,
  );
  await ben.say(sphere, 'from the third account');
  await anna.sees(sphere, 'from the third account');
  expect(await members(anna, sphere)).toEqual(['anna@a.test owner joined', 'bernard@a.test member joined']);
}, 240_000);
