import { setTimeout as sleep } from 'node:timers/promises';
import { parseSphereId } from '../../src/base/id.ts';
import type { EngineClient } from '../../src/cli/connect.ts';
import type { MessageView } from '../../src/contract/views.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { OmemoDevices } from '../fixtures/omemo-devices.ts';
import type { Bar, BenchResult } from './parts/report.ts';
import { compare, median, runBench } from './parts/report.ts';

/** What a daily user waits for: sending, coming back to a long conversation, and a large sphere's keys. */
const BACKLOG = 10_000;
const SENDERS = ['ben', 'eve', 'zoe', 'kim', 'max'];
/** Lines of one sender that are under way at once. */
const AT_ONCE = 20;
const TIMES = 20;
const MEMBERS = 50;
const DEVICES_EACH = 3;
const PAGE = 40;
const LIMIT_MS = 1_200_000;
const GONE_OUT: readonly MessageView['state'][] = ['sent', 'delivered', 'seen'];

const atMost = (value: number): Bar => ({ op: '<=', value, of: 'ours' });
const line = (name: string, unit: string, values: readonly number[], bar: Bar | null): BenchResult =>
  compare({ name, unit, peerName: null, bar, samples: values.map((ours) => ({ ours, peer: null })) });

/** Milliseconds from each wish to send until the server has the line, one after the other. */
async function measureSending(person: Person, sphere: string): Promise<number[]> {
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  const { client } = engine;
  const { seq } = await client.system.snapshot();
  const sent = new Map<string, number>();
  let wake = (): void => undefined;
  const following = (async (): Promise<void> => {
    for await (const { event } of await client.system.events({ since: seq })) {
      if (event.kind !== 'message' || !GONE_OUT.includes(event.message.state) || sent.has(event.message.id)) continue;
      sent.set(event.message.id, performance.now());
      wake();
    }
  })().catch(() => undefined);
  const waits: number[] = [];
  for (let number = 0; number < TIMES; number += 1) {
    const before = performance.now();
    const { message } = await client.messages.say({ sphereId: parseSphereId(sphere), text: `line ${number}` });
    while (!sent.has(message.id)) await new Promise<void>((resolve) => (wake = resolve));
    waits.push((sent.get(message.id) ?? Number.NaN) - before);
    await sleep(200);
  }
  engine[Symbol.dispose]();
  await following;
  return waits;
}

/** Says `count` lines, several at once, and waits until the server has all of them. */
async function sayMany(person: Person, sphere: string, count: number): Promise<void> {
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  let next = 0;
  const talk = async (): Promise<void> => {
    while (next < count) {
      const text = `${person.name} says the line ${next} of a long evening`;
      next += 1;
      await engine.client.messages.say({ sphereId: parseSphereId(sphere), text });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, talk));
  await person.sync();
}

const linesOf = async (client: EngineClient, sphere: string): Promise<number> => {
  const { spheres } = await client.spheres.list();
  return spheres.find(({ id }) => id === sphere)?.unread ?? 0;
};

/** Seconds until everything that was said meanwhile is there, and how long a page waited for its answers. */
async function measureBacklog(person: Person, sphere: string): Promise<{ seconds: number; answers: number[] }> {
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  const answers: number[] = [];
  const before = performance.now();
  let lines = 0;
  while (lines < BACKLOG) {
    const asked = performance.now();
    await engine.client.messages.list({ sphereId: parseSphereId(sphere), limit: PAGE });
    lines = await linesOf(engine.client, sphere);
    answers.push((performance.now() - asked) / 2);
    await sleep(50);
    if (performance.now() - before > LIMIT_MS) throw new Error(`only ${lines} lines came`);
  }
  return { seconds: (performance.now() - before) / 1000, answers };
}

async function measureOpening(person: Person, sphere: string): Promise<number[]> {
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  const waits: number[] = [];
  for (let number = 0; number < TIMES; number += 1) {
    const before = performance.now();
    await engine.client.messages.list({ sphereId: parseSphereId(sphere), limit: PAGE });
    waits.push(performance.now() - before);
  }
  return waits;
}

/** Milliseconds to encrypt one line to all devices of a large sphere, when each has a session. */
async function measureEncrypting(): Promise<number[]> {
  const devices = new OmemoDevices();
  const sender = await devices.add('ana@example.org');
  const others = [];
  for (let number = 0; number < MEMBERS * DEVICES_EACH; number += 1) {
    others.push(await devices.add(`p${number % MEMBERS}@example.org`));
  }
  await sender.encrypt('the first line', others);
  const waits: number[] = [];
  for (let number = 0; number < TIMES; number += 1) {
    const before = performance.now();
    const { message } = await sender.encrypt(`line ${number}`, others);
    waits.push(performance.now() - before);
    if (message.keys.length < others.length) throw new Error('not everybody got a key');
  }
  return waits;
}

async function measure(): Promise<BenchResult[]> {
  const encrypting = await measureEncrypting();
  await using world = await EngineWorld.start(['ana', ...SENDERS]);
  const ana = world.person('ana');
  const senders = SENDERS.map((name) => world.person(name));
  const sphere = await world.sphere('Summer', ana, ...senders);
  for (const sender of senders) await sender.say(sphere, `${sender.name} is here`);
  for (const sender of senders) await ana.sees(sphere, `${sender.name} is here`);
  const sending = await measureSending(ana, sphere);
  await ana.engine.stop();
  await Promise.all(senders.map((sender) => sayMany(sender, sphere, BACKLOG / SENDERS.length)));
  await ana.restart();
  const { seconds, answers } = await measureBacklog(ana, sphere);
  const opening = await measureOpening(ana, sphere);
  const sorted = answers.toSorted((a, b) => a - b);
  return [
    line('from the wish to the server’s receipt', 'ms', sending, atMost(50)),
    line(`${BACKLOG} lines of five people, after a start`, 's', [seconds], atMost(30)),
    line(
      'answers to a page meanwhile, p99',
      'ms',
      [sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN],
      atMost(100),
    ),
    line('answers to a page meanwhile, median', 'ms', [median(answers)], null),
    line(`the newest ${PAGE} lines`, 'ms', opening, atMost(100)),
    line(`one line for ${MEMBERS * DEVICES_EACH} devices`, 'ms', encrypting, atMost(200)),
  ];
}

await runBench('chat', measure);
