import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSphereId } from '../../src/base/id.ts';
import type { EngineClient } from '../../src/cli/connect.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { randomFile, sha256 } from '../integration/swarm-peer.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, runBench } from './parts/report.ts';

/** How long a page waits for an answer while its engine's swarm sends or receives as fast as it can. */
const BAR: Bar = { op: '<=', value: 50, of: 'ours' };
/** A page that is looked at asks about as often. */
const EVERY_MS = 10;
const IDLE_MS = 5_000;
/** Fewer answers say nothing about one in a hundred. */
const LEAST_ANSWERS = 200;
const BYTES = 2e9;
const LIMIT_MS = 600_000;

/** What a page asks for, in turns. */
const QUESTIONS: readonly ((client: EngineClient, sphere: string) => Promise<unknown>)[] = [
  (client) => client.spheres.list(),
  (client, sphere) => client.items.list({ sphereId: parseSphereId(sphere) }),
  (client, sphere) => client.messages.list({ sphereId: parseSphereId(sphere), limit: 40 }),
  (client, sphere) => client.spheres.members({ sphereId: parseSphereId(sphere) }),
];

/** Milliseconds of each answer until `ended` aborts. */
async function askAgainAndAgain(person: Person, sphere: string, ended: AbortSignal): Promise<number[]> {
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  const waits: number[] = [];
  for (let number = 0; !ended.aborted; number += 1) {
    const before = performance.now();
    await QUESTIONS[number % QUESTIONS.length]?.(engine.client, sphere);
    waits.push(performance.now() - before);
    await sleep(EVERY_MS);
  }
  return waits;
}

function percentile99(waits: readonly number[]): number {
  if (waits.length < LEAST_ANSWERS) throw new Error(`only ${waits.length} answers: the transfer is too short`);
  return waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.99)] ?? Number.NaN;
}

/** The answers of each person's engine while `work` goes on. */
async function during(people: readonly Person[], sphere: string, work: () => Promise<unknown>): Promise<number[]> {
  const ended = new AbortController();
  const asked = Promise.all(people.map((person) => askAgainAndAgain(person, sphere, ended.signal)));
  try {
    await work();
  } finally {
    ended.abort();
  }
  return (await asked).map(percentile99);
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  await using world = await EngineWorld.start(['anna', 'ben']);
  const people = [world.person('anna'), world.person('ben')] as const;
  const [anna, ben] = people;
  const sphere = await world.sphere('Summer', anna, ben);
  const film = await randomFile(join(world.folder, 'film.mp4'), bytes);
  const digest = await sha256(film);
  const all: { sending: number; receiving: number; idle: number; rate: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const item = await anna.share(sphere, film);
    await ben.item(sphere, item);
    let copy = '';
    const idle = Math.max(...(await during(people, sphere, () => sleep(IDLE_MS))));
    const before = performance.now();
    const [sending = Number.NaN, receiving = Number.NaN] = await during(people, sphere, async () => {
      copy = await ben.get(sphere, item);
    });
    const rate = bytes / 1e6 / ((performance.now() - before) / 1000);
    if ((await sha256(copy)) !== digest) throw new Error('the received file differs from the original');
    await rm(copy);
    all.push({ sending, receiving, idle, rate });
  }
  const line = (name: string, unit: string, values: readonly number[], bar: Bar | null): BenchResult =>
    compare({ name, unit, peerName: null, bar, samples: values.map((ours) => ({ ours, peer: null })) });
  return [
    line(
      'answers of the sending engine, p99',
      'ms',
      all.map(({ sending }) => sending),
      BAR,
    ),
    line(
      'answers of the receiving engine, p99',
      'ms',
      all.map(({ receiving }) => receiving),
      BAR,
    ),
    line(
      'the transfer meanwhile',
      'MB/s',
      all.map(({ rate }) => rate),
      null,
    ),
    line(
      'answers while nothing goes on, p99',
      'ms',
      all.map(({ idle }) => idle),
      null,
    ),
  ];
}

await runBench('responsiveness', measure, { bytes: BYTES, rounds: 5 });
