import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseBareJid, parseSphereId } from '../../src/base/id.ts';
import type { EngineClient } from '../../src/cli/connect.ts';
import { eventually, EngineProcess } from '../fixtures/engine-process.ts';
import { EngineWorld, passwordOf, Person } from '../fixtures/engine-world.ts';
import type { SlowLine } from '../fixtures/slow-line.ts';
import { startSlowLine } from '../fixtures/slow-line.ts';

const CONTACTS = 20;
const SPHERES = ['Summer', 'Winter', 'Garden'];
/** A line of before broadband, by satellite. */
const SLOW = { bitsPerSecond: 56_000, roundTripMs: 800 };
const FAST = { bitsPerSecond: 1e9, roundTripMs: 0 };
const SIGN_IN_MS = 20_000;
const MESSAGE_MS = 3_000;
/** Longer than an answer takes over the line. */
const SILENT_MS = 5_000;
/** As long as the connection is asked once whether it is still there. */
const IDLE_MS = 31_000;
const IDLE_BYTES_A_MINUTE = 1_024;
const PATIENCE_MS = 60_000;

const pace = { ...FAST };
let world: EngineWorld;
let ana: Person;
let ben: Person;
let line: SlowLine;
let spheres: string[];

beforeAll(async () => {
  world = await EngineWorld.start(['ben'], { users: { ana: passwordOf('ana') } });
  ben = world.person('ben');
  line = await startSlowLine({ host: world.prosody.host, port: world.prosody.c2sPort }, pace);
  const options = { address: ben.address.replace(/\d+$/, '2') };
  ana = new Person({ name: 'ana', jid: world.jid('ana'), engine: await EngineProcess.start(options), options });
  const server = { server: `${line.host}:${line.port}`, caFile: world.prosody.caFile, register: false };
  await ana.ask((client) => client.account.signIn({ jid: ana.jid, password: passwordOf('ana'), ...server }));
  spheres = [];
  for (const name of SPHERES) spheres.push(await world.sphere(name, ben, ana));
  await ana.ask(async ({ people }) => {
    for (let number = 0; number < CONTACTS; number += 1)
      await people.add({ jid: parseBareJid(`friend${number}@a.test`) });
  });
  await ana.sync();
});

afterAll(async () => {
  await ana[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await line[Symbol.asyncDispose]();
});

/** Resolves when somebody who looks is shown this line. */
async function shown(client: EngineClient, sphere: string, text: string): Promise<void> {
  const input = { sphereId: parseSphereId(sphere), limit: 50 };
  const isShown = async (): Promise<boolean> =>
    (await client.messages.list(input)).messages.some((message) => message.text === text);
  await eventually(text, async () => ((await isShown()) ? true : undefined), PATIENCE_MS);
}

/** By the clock on the wall, whatever else the machine does. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}

/** How long a line needs from who says it until the other one is shown it. */
async function talk(from: Person, to: Person, text: string): Promise<number> {
  const sphereId = parseSphereId(spheres[0] ?? '');
  using speaker = await from.connect(AbortSignal.timeout(PATIENCE_MS));
  using hearer = await to.connect(AbortSignal.timeout(PATIENCE_MS));
  return await timeOf(async () => {
    await speaker.client.messages.say({ sphereId, text });
    await shown(hearer.client, sphereId, text);
  });
}

test('over a line of 56 kbit/s with 800 ms there and back one signs in, hears what was missed, and is heard', async () => {
  await ana.engine.stop();
  for (const sphere of spheres) await ben.say(sphere, 'while you were away');
  await ben.sync();
  Object.assign(pace, SLOW);
  const before = { ...line.passed };
  const signInMs = await timeOf(async () => {
    await ana.restart();
    using engine = await ana.connect(AbortSignal.timeout(PATIENCE_MS));
    await Promise.all(spheres.map((sphere) => shown(engine.client, sphere, 'while you were away')));
  });
  const passed = { up: line.passed.up - before.up, down: line.passed.down - before.down };
  const sentMs = await talk(ana, ben, 'from afar');
  // Behind names and pictures, which are still on their way down; what is asked of it is asked below, without them.
  const heardAmongMs = await talk(ben, ana, 'to afar');
  console.info('over a slow line', JSON.stringify({ signInMs, ...passed, sentMs, heardAmongMs }));
  expect(signInMs).toBeLessThanOrEqual(SIGN_IN_MS);
  expect(sentMs).toBeLessThan(MESSAGE_MS);
});

test('whoever is online and says nothing needs less than a kilobyte per minute', async () => {
  const passed = (): number => line.passed.up + line.passed.down;
  let before = -1;
  // Names and pictures of people are asked for last, and some of what was said is still confirmed.
  while (before !== passed()) {
    before = passed();
    await sleep(SILENT_MS);
  }
  await sleep(IDLE_MS);
  const idle = ((passed() - before) * 60_000) / IDLE_MS;
  console.info('idle', JSON.stringify({ idle }));
  expect(idle).toBeGreaterThan(0);
  expect(idle).toBeLessThan(IDLE_BYTES_A_MINUTE);
});

test('what is said is shown within three seconds over the slow line, either way', async () => {
  const sentMs = await talk(ana, ben, 'from afar again');
  const heardMs = await talk(ben, ana, 'to afar again');
  console.info('talk', JSON.stringify({ sentMs, heardMs }));
  expect(Math.max(sentMs, heardMs)).toBeLessThan(MESSAGE_MS);
});
