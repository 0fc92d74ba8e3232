import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSphereId } from '../../src/base/id.ts';
import { makeTestCa, type TestCa } from '../fixtures/certificates.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { FORGETS_SESSIONS, type Prosody, startProsody } from '../fixtures/prosody.ts';

const NAME = 'Family';
/** By how long a move takes. */
const KILLED_AT = process.env['SPHERECAST_LONG'] === '1' ? [0.3, 0.6, 0.9, 1, 1.1] : [0.3, 0.9, 1.1];
const stack = new AsyncDisposableStack();
let ca: TestCa;
let old: Prosody;
let world: EngineWorld;
let [ana, ben, eva]: Person[] = [];
let sphere: string;

/** Members have their accounts at b.test; a.test lets them make rooms, c.test does not. */
beforeAll(async () => {
  ca = stack.use(await makeTestCa());
  const network = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const federation = { 'a.test': `${network}.2`, 'b.test': `${network}.3`, 'c.test': `${network}.4` };
  const at = (domain: keyof typeof federation) => ({ domain, address: federation[domain], ca, federation });
  old = stack.use(await startProsody(at('a.test')));
  stack.use(await startProsody({ ...at('c.test'), mucLines: 'restrict_room_creation = "local"' }));
  world = stack.use(await EngineWorld.start(['ana', 'ben', 'eva'], { ...at('b.test'), globalLines: FORGETS_SESSIONS }));
  [ana, ben, eva] = ['ana', 'ben', 'eva'].map((name) => world.person(name));
  sphere = await world.sphere(NAME, person(ana), person(ben), person(eva));
});

afterAll(async () => {
  await stack.disposeAsync();
});

function person(one: Person | undefined): Person {
  if (one === undefined) throw new Error('the world has not begun');
  return one;
}

async function roomOf(one: Person | undefined): Promise<string> {
  return (await person(one).spheres()).find(({ id }) => id === sphere)?.room ?? '';
}

/** Resolves when all of them are inside one room of this service. */
async function meetAt(service: string, ...people: (Person | undefined)[]): Promise<string> {
  return await eventually(`all meet at ${service}`, async () => {
    const views = await Promise.all(people.map(async (one) => (await person(one).spheres())[0]));
    const rooms = new Set(views.map((view) => view?.room));
    const [room = ''] = rooms;
    const isThere = rooms.size === 1 && room.endsWith(`@${service}`) && views.every((view) => view?.state === 'joined');
    return isThere ? room : undefined;
  });
}

test('a sphere moves to another server, and everybody goes on there', async () => {
  await person(ben).say(sphere, 'before');
  await person(ana).run('sphere', 'move', NAME, '--service', 'a.test');
  await meetAt('rooms.a.test', ana, ben, eva);
  await person(eva).say(sphere, 'after');
  for (const one of [ana, ben, eva]) await person(one).sees(sphere, 'after');
  expect(await person(ana).texts(sphere)).toEqual(['before', 'after']);
});

test('a server that lets no stranger make a room says so, a member may not move it, and nothing has changed', async () => {
  const room = await roomOf(ana);
  expect(await person(ana).failure('sphere', 'move', NAME, '--service', 'c.test')).toBe('room-refused');
  expect(await person(ana).failure('sphere', 'move', NAME, '--service', 'd.test')).toBe('room-refused');
  expect(await person(ben).failure('sphere', 'move', NAME)).toBe('not-allowed');
  expect([await roomOf(ana), await roomOf(ben)]).toEqual([room, room]);
});

test('an engine that is killed in the middle of a move has moved the sphere for all, or for nobody', async () => {
  const input = { sphereId: parseSphereId(sphere), server: 'rooms.a.test' };
  const move = () => person(ana).ask((client) => client.spheres.move(input));
  const startedMs = performance.now();
  await move();
  const tookMs = performance.now() - startedMs;
  await meetAt('rooms.a.test', ana, ben, eva);
  for (const part of KILLED_AT) {
    const before = await roomOf(ana);
    const moving = move().catch(() => undefined);
    await sleep(tookMs * part);
    await person(ana).engine.killHard();
    await moving;
    await person(ana).restart();
    const room = await meetAt('rooms.a.test', ana, ben, eva);
    const said = `killed at ${part}, ${room === before ? 'stayed' : 'moved'}`;
    await person(ana).say(sphere, said);
    await person(ben).sees(sphere, said);
  }
  expect((await person(ana).texts(sphere)).filter((text) => text.startsWith('killed'))).toHaveLength(KILLED_AT.length);
}, 240_000);

test('with the old server gone for good, whoever was away comes along, and what waited arrives', async () => {
  await meetAt('rooms.a.test', ana, ben, eva);
  await person(eva).sync();
  await person(eva).engine.killHard();
  await person(ben).say(sphere, 'the last word there');
  await person(ana).sees(sphere, 'the last word there');
  await old.stop();
  await person(ben).say(sphere, 'it waits');
  await person(ana).run('sphere', 'move', NAME);
  await meetAt('rooms.b.test', ana, ben);
  await person(eva).restart();
  await meetAt('rooms.b.test', ana, ben, eva);
  for (const text of ['the last word there', 'it waits']) {
    for (const one of [ana, ben, eva]) await person(one).sees(sphere, text);
  }
  const [hers, theirs] = [await person(eva).texts(sphere), await person(ana).texts(sphere)];
  expect(hers.toSorted()).toEqual(theirs.toSorted());
}, 240_000);
