import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSphereId } from '../../src/base/id.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import type { EngineClient } from '../../src/cli/connect.ts';
import type { MessageView } from '../../src/contract/views.ts';
import { Omemo } from '../../src/omemo/omemo.ts';
import type { DeviceAddress } from '../../src/omemo/types.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import { OmemoDevices } from '../fixtures/omemo-devices.ts';
import { openRawStorage } from '../fixtures/raw-member.ts';
import { addHistory } from './parts/long-history.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, median, runBench } from './parts/report.ts';
import { Talker } from './parts/talker.ts';

/** What a daily user waits for: sending, coming back to a long conversation, and a large sphere's keys. */
const BACKLOG = 10_000;
/** So many times the backlog is in the database when a conversation is opened and searched. */
const HISTORY = 10;
const TALKERS = ['ben', 'eve', 'zoe', 'kim', 'max'];
const TIMES = 20;
const MEMBERS = 50;
const DEVICES_EACH = 3;
const PAGE = 40;
/** Between two looks of the page while much comes in. */
const LOOK_MS = 50;
const LIMIT_MS = 1_800_000;
/** Archives as a server with a database has them: Prosody's plain files are read from the beginning for each page. */
const ARCHIVES = `
default_storage = "internal"
storage = { archive = "memory"; muc_log = "memory" }
storage_archive_item_limit = 1000000`;
const GONE_OUT: readonly MessageView['state'][] = ['sent', 'delivered', 'seen'];
/** What lines are about: some words are in every line, some in few. */
const WORDS = ['lake', 'mountain', 'birthday', 'garden', 'café', 'train', 'photographs', 'grandmother', 'snow', 'boat'];

const atMost = (value: number): Bar => ({ op: '<=', value, of: 'ours' });
const line = (name: string, unit: string, values: readonly number[], bar: Bar | null): BenchResult =>
  compare({ name, unit, peerName: null, bar, samples: values.map((ours) => ({ ours, peer: null })) });

const lineAbout = (name: string, number: number): string =>
  `${name} says the line ${number} of a long evening about the ${WORDS[number % WORDS.length]} and number${number % 997}`;

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

const linesOf = async (client: EngineClient, sphere: string): Promise<number> => {
  const { spheres } = await client.spheres.list();
  return spheres.find(({ id }) => id === sphere)?.unread ?? 0;
};

interface Backlog {
  readonly seconds: number;
  /** Milliseconds that a page waited for each answer meanwhile. */
  readonly answers: number[];
}

/** Starts the engine and follows until everything that was said meanwhile is there. */
async function measureBacklog(person: Person, sphere: string, count: number): Promise<Backlog> {
  await person.restart();
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  const answers: number[] = [];
  const before = performance.now();
  const known = await linesOf(engine.client, sphere);
  for (let lines = known; lines < count;) {
    const asked = performance.now();
    await engine.client.messages.list({ sphereId: parseSphereId(sphere), limit: PAGE });
    const opened = performance.now();
    lines = await linesOf(engine.client, sphere);
    answers.push(opened - asked, performance.now() - opened);
    await sleep(LOOK_MS);
    if (opened - before > LIMIT_MS) throw new Error(`only ${lines} lines came`);
  }
  return { seconds: (performance.now() - before) / 1000, answers };
}

async function timed(work: (number: number) => Promise<unknown>): Promise<number[]> {
  const waits: number[] = [];
  for (let number = 0; number < TIMES; number += 1) {
    const before = performance.now();
    await work(number);
    waits.push(performance.now() - before);
  }
  return waits;
}

interface LongHistory {
  readonly opening: number[];
  readonly searching: number[];
  /** Seconds until every line is found, and what a page waited for its answers meanwhile, in milliseconds. */
  readonly read: Backlog;
}

/** Of a conversation of years, right after the start and once everything is read for the search. */
async function measureHistory(person: Person, sphere: string): Promise<LongHistory> {
  await person.restart();
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  const { messages } = engine.client;
  const sphereId = parseSphereId(sphere);
  const before = performance.now();
  const answers: number[] = [];
  for (let isWhole = false; !isWhole;) {
    answers.push(...(await timed(() => messages.list({ sphereId, limit: PAGE }))));
    ({ isWhole } = await messages.search({ words: 'number1 lake' }));
    await sleep(4 * LOOK_MS);
    if (performance.now() - before > LIMIT_MS) throw new Error('the search does not end reading');
  }
  const seconds = (performance.now() - before) / 1000;
  const opening = await timed(() => messages.list({ sphereId, limit: PAGE }));
  const searching = await timed(async (number) => {
    const word = WORDS[number % WORDS.length] ?? '';
    const words = [`${word.slice(0, 3)} evening`, `number${number * 40}`, word, 'l'][number % 4] ?? '';
    const { lines } = await messages.search({ words });
    if (lines.length === 0) throw new Error(`nothing is found for ${words}`);
  });
  return { opening, searching, read: { seconds, answers } };
}

/** Milliseconds to encrypt one line to all devices of a large sphere, when each has a session, and to keep the sessions. */
async function measureEncrypting(): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'spherecast-keys-'));
  try {
    using storage = openRawStorage({ folder, masterKey: systemRandom(32) });
    const devices = new OmemoDevices();
    const own = (await devices.add('ana@example.org')).jid;
    const deps = { clock: systemClock, random: systemRandom, log: silentLogger };
    const omemo = await Omemo.open({ store: storage.omemo, own, ...deps });
    const recipients: DeviceAddress[] = [];
    for (let number = 0; number < MEMBERS * DEVICES_EACH; number += 1) {
      recipients.push((await devices.add(`p${number % MEMBERS}@example.org`)).address);
    }
    const encrypt = async (text: string): Promise<void> => {
      const fetchBundle = (address: DeviceAddress) => Promise.resolve(devices.bundleOf(address));
      const { keys } = await omemo.encrypt(
        { recipients, text, fetchBundle },
        ({ message }, changes) => {
          storage.transaction(() => storage.omemo.apply(changes));
          return message;
        },
        AbortSignal.timeout(LIMIT_MS),
      );
      if (keys.length < recipients.length) throw new Error('not everybody got a key');
    };
    await encrypt('the first line');
    return await timed((number) => encrypt(`line ${number}`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everybody is a member and has a session with everybody; then the talkers are gone. */
async function gather(world: EngineWorld, ana: Person, talkers: readonly Talker[]): Promise<string> {
  const { id } = await ana.create('Summer');
  for (const { name, member } of talkers) {
    await ana.invite(id, world.jid(name));
    await member.join('Summer');
  }
  // The first lines make the sessions, and answers to them complete these.
  for (const round of ['first', 'second']) {
    for (const { name, member } of talkers) {
      member.session.messages.say(parseSphereId(id), `${name}, ${round} word`);
      await ana.sees(id, `${name}, ${round} word`);
    }
    await ana.say(id, `ana, ${round} word`);
  }
  await ana.sync();
  for (const { member } of talkers) await member[Symbol.asyncDispose]();
  return id;
}

const percentile99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;

interface Conversation {
  readonly ana: Person;
  readonly sphere: string;
  /** Five people say `count` lines while Ana's engine is off; how long it takes until she has them. */
  readonly backlog: (count: number) => Promise<Backlog>;
}

/** What `work` measures in a sphere of Ana's and five people who talk. */
async function inConversation<T>(work: (conversation: Conversation) => Promise<T>): Promise<T> {
  const users = Object.fromEntries(TALKERS.map((name) => [name, passwordOf(name)]));
  await using world = await EngineWorld.start(['ana'], { users, globalLines: ARCHIVES });
  const ana = world.person('ana');
  await using stack = new AsyncDisposableStack();
  const talkers: Talker[] = [];
  for (const name of TALKERS) talkers.push(stack.use(await Talker.start(world.prosody, name)));
  const sphere = await gather(world, ana, talkers);
  const backlog = async (count: number): Promise<Backlog> => {
    await ana.engine.stop();
    const each = Math.ceil(count / talkers.length);
    await Promise.all(
      talkers.map((talker) => {
        const texts = Array.from({ length: each }, (_, number) => lineAbout(talker.name, number));
        return talker.talk(sphere, texts, AbortSignal.timeout(LIMIT_MS));
      }),
    );
    return await measureBacklog(ana, sphere, each * talkers.length);
  };
  return await work({ ana, sphere, backlog });
}

const backlogLines = (count: number, { seconds, answers }: Backlog): BenchResult[] => [
  line(`${count.toLocaleString('en')} lines of five people, after a start`, 's', [seconds], atMost(30)),
  line('answers to a page meanwhile, p99', 'ms', [percentile99(answers)], atMost(100)),
  line('answers to a page meanwhile, median', 'ms', [median(answers)], null),
];

async function measure({ count, only }: BenchOptions): Promise<BenchResult[]> {
  if (only === 'backlog') {
    return await inConversation(async ({ backlog }) => backlogLines(count, await backlog(count)));
  }
  const encrypting = await measureEncrypting();
  return await inConversation(async ({ ana, sphere, backlog }) => {
    const sending = await measureSending(ana, sphere);
    const taken = await backlog(count);
    await ana.engine.stop();
    const older = { count: (HISTORY - 1) * count, text: (number: number) => lineAbout('ana', number) };
    await addHistory(ana, parseSphereId(sphere), older);
    const history = await measureHistory(ana, sphere);
    const all = (HISTORY * count).toLocaleString('en');
    return [
      line('from the wish to the server’s receipt', 'ms', sending, atMost(50)),
      ...backlogLines(count, taken),
      line(`the newest ${PAGE} of ${all} lines`, 'ms', history.opening, atMost(100)),
      line(`a search in ${all} lines`, 'ms', history.searching, atMost(100)),
      line(`reading ${all} lines for the search`, 's', [history.read.seconds], null),
      line('the newest lines meanwhile, p99', 'ms', [percentile99(history.read.answers)], atMost(100)),
      line(`one line for ${MEMBERS * DEVICES_EACH} devices`, 'ms', encrypting, atMost(200)),
    ];
  });
}

await runBench('chat', measure, { count: BACKLOG, parts: ['backlog'] });
