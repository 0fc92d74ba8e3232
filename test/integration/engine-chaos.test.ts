import { randomBytes, randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSphereId } from '../../src/base/id.ts';
import type { ChaosProxy } from '../fixtures/chaos-proxy.ts';
import { startChaosProxy } from '../fixtures/chaos-proxy.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import { numbersOf } from '../fixtures/numbers-of.ts';

const isLong = process.env['SPHERECAST_LONG'] === '1';
const [MESSAGES, SHARES, KILLS, RESTARTS] = isLong ? [1_000, 50, 20, 5] : [100, 5, 2, 1];
/** Everybody comes to the same in the end: how long it takes depends on what was lost. */
const SETTLE_MS = isLong ? 900_000 : 240_000;
const LIMIT_MS = isLong ? 3_600_000 : 480_000;
/** The same seed does the same to the same stanza. */
const seed = Number(process.env['SPHERECAST_SEED'] ?? randomInt(1, 1_000_000));

let world: EngineWorld;
let sphere: string;
/** Of each of three people two computers, each behind a bad line of its own. */
let devices: Person[];
let lines: ChaosProxy[];

beforeAll(async () => {
  world = await EngineWorld.start(['ana', 'ben', 'eve']);
  const [ana, ben, eve] = ['ana', 'ben', 'eve'].map((name) => world.person(name)) as [Person, Person, Person];
  sphere = await world.sphere('Storm', ana, ben, eve);
  devices = [ana, ben, eve];
  lines = await Promise.all(Array.from({ length: 6 }, (_, index) => startChaosProxy(world.prosody, seed + index)));
  const settled = [ana, ben, eve].map(async (person, index) => {
    const [first, second] = lines.slice(2 * index) as [ChaosProxy, ChaosProxy];
    const { lines: kit } = await person.ask((client) => client.account.kit({ password: passwordOf(person.name) }));
    const other = await world.comeBack(person.name, kit);
    devices.push(other);
    await Promise.all([signInThrough(first, person), signInThrough(second, other)]);
  });
  await Promise.all(settled);
  await eventually('every computer has the whole sphere', async () => ((await isAgreed()) ? true : undefined), 120_000);
}, LIMIT_MS);

afterAll(async () => {
  for (const line of lines) await line[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function signInThrough({ host, c2sPort, caFile }: ChaosProxy, device: Person): Promise<void> {
  const input = { jid: device.jid, password: passwordOf(device.name), register: false };
  await device.ask((client) => client.account.signIn({ ...input, server: `${host}:${c2sPort}`, caFile }));
}

/** Whether all computers export the same log, with as many certificates as there are computers. */
async function isAgreed(): Promise<boolean> {
  const joined = await Promise.all(devices.map(async (one) => (await one.spheres()).some(({ id }) => id === sphere)));
  if (joined.includes(false)) return false;
  const logs = await Promise.all(devices.map((device) => device.log(sphere)));
  const [first] = logs;
  const certified = first?.filter(({ type }) => type === 'device').length ?? 0;
  return certified >= devices.length && logs.every((log) => JSON.stringify(log) === JSON.stringify(first));
}

/** What a program does at some step of the storm; every step says or shares something. */
function planOf(chance: () => number): Map<number, readonly ('kill' | 'restart-server')[]> {
  const plan = new Map<number, ('kill' | 'restart-server')[]>();
  const steps = MESSAGES + SHARES;
  const add = (what: 'kill' | 'restart-server'): void => {
    const step = Math.floor(chance() * steps);
    plan.set(step, [...(plan.get(step) ?? []), what]);
  };
  for (let count = 0; count < KILLS; count += 1) add('kill');
  for (let count = 0; count < RESTARTS; count += 1) add('restart-server');
  return plan;
}

/** Says and shares everything while the lines, the server and the programs fail. What was said and shared. */
async function storm(): Promise<{ texts: string[]; names: string[] }> {
  const chance = numbersOf(seed);
  const plan = planOf(chance);
  const said: { texts: string[]; names: string[] } = { texts: [], names: [] };
  const half = Math.floor((MESSAGES + SHARES) / 2);
  const isShare = new Set(Array.from({ length: SHARES }, (_, at) => Math.floor(((at + 0.5) * MESSAGES) / SHARES) + at));
  for (let step = 0; step < MESSAGES + SHARES; step += 1) {
    const device = devices[Math.floor(chance() * devices.length)] as Person;
    if (step === half) for (const line of lines) line.breakIfWhole();
    if (isShare.has(step)) {
      const name = `picture-${step}.bin`;
      const path = join(world.folder, name);
      await writeFile(path, randomBytes(20_000));
      const input = { sphereId: parseSphereId(sphere), paths: [path], plain: false, wait: false };
      await device.ask((client) => client.items.share(input));
      said.names.push(name);
    } else {
      const text = `line ${step}`;
      await device.say(sphere, text);
      said.texts.push(text);
    }
    for (const what of plan.get(step) ?? []) {
      if (what === 'restart-server') await world.prosody.restart();
      else {
        await device.engine.killHard();
        await device.restart();
      }
    }
    await sleep(chance() * 60);
  }
  return said;
}

test(
  `seed ${seed}, ${MESSAGES} messages and ${SHARES} shares: however lines, server and programs fail, nothing is lost or doubled and all logs agree`,
  { timeout: LIMIT_MS },
  async () => {
    for (const line of lines) line.misbehave();
    const said = await storm();
    for (const line of lines) line.behave();
    const done = lines.reduce((sum, line) => sum + line.done.drop + line.done.double + line.done.swap, 0);
    expect(done).toBeGreaterThan(0);
    expect(lines.every((line) => line.done.cut > 0)).toBe(true);
    await eventually('all logs agree', async () => ((await isWhole()) ? true : undefined), SETTLE_MS).catch(tellOfLogs);
    for (const device of devices) {
      const messages = await everything(device);
      expect(messages.filter(({ kind }) => kind === 'text').map(({ text }) => text)).toEqual(
        expect.arrayContaining(said.texts),
      );
      expect(messages.filter(({ kind }) => kind === 'text')).toHaveLength(said.texts.length);
      const items = (await device.items(sphere)).map(({ name }) => name);
      expect(items.toSorted()).toEqual(said.names.toSorted());
    }
  },
);

/** Whether everything that was said and shared stands in all logs, which are the same. */
async function isWhole(): Promise<boolean> {
  const logs = await Promise.all(devices.map((device) => device.log(sphere)));
  const isSaid = ({ type }: { readonly type: string }): boolean => type === 'message' || type === 'item';
  return logs.every((log) => log.filter(isSaid).length >= MESSAGES + SHARES) && (await isAgreed());
}

/** How far each computer's log goes, beside the failure. */
async function tellOfLogs(cause: unknown): Promise<never> {
  const logs = await Promise.all(devices.map((device) => device.log(sphere)));
  const whole = new Set(logs.flatMap((log) => log.map(({ id }) => id)));
  const lacking = logs.map((log) => {
    const here = new Set(log.map(({ id }) => id));
    return [...whole].filter((id) => !here.has(id)).length;
  });
  const sizes = devices.map(({ name, profile }, at) => `${name} (${profile}) lacks ${lacking[at]} of ${whole.size}`);
  throw new Error(`seed ${seed}: the logs do not agree: ${sizes.join(', ')}`, { cause });
}

/** All lines of a computer, page by page. */
async function everything(device: Person) {
  return await device.ask(async (client) => {
    const sphereId = parseSphereId(sphere);
    const { messages: newest } = await client.messages.list({ sphereId, limit: 500 });
    let all = newest;
    for (let page = newest; page.length === 500;) {
      const before = page[0]?.id;
      ({ messages: page } = await client.messages.list({
        sphereId,
        limit: 500,
        ...(before === undefined ? {} : { before }),
      }));
      all = [...page, ...all];
    }
    return all;
  });
}
