import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { passwordOf } from '../fixtures/engine-world.ts';
import type { Prosody } from '../fixtures/prosody.ts';
import { startProsody } from '../fixtures/prosody.ts';
import type { RawHome } from '../fixtures/raw-member.ts';
import { RawMember } from '../fixtures/raw-member.ts';
import type { SlowLine } from '../fixtures/slow-line.ts';
import { startSlowLine } from '../fixtures/slow-line.ts';

const CONTACTS = 20;
const SPHERES = ['Summer', 'Winter', 'Garden'];
/** A line of before broadband, by satellite. */
const LINE = { bitsPerSecond: 56_000, roundTripMs: 800 };
/** What the line needs, and what the machine may take with it at most. */
const SIGN_IN = { lineMs: 20_000, wallMs: 60_000 };
const MESSAGE_MS = 3_000;
/** Longer than an answer takes over the line. */
const SILENT_MS = 5_000;
/** As long as the connection is asked once whether it is still there. */
const IDLE_MS = 31_000;
const IDLE_BYTES_A_MINUTE = 1_024;

let prosody: Prosody;
let ana: RawMember;
let ben: RawMember;
let line: SlowLine;
let home: RawHome;
let spheres: string[];
const soon = (): AbortSignal => AbortSignal.timeout(30_000);

beforeAll(async () => {
  prosody = await startProsody({ users: { ana: passwordOf('ana'), ben: passwordOf('ben') } });
  line = await startSlowLine({ host: prosody.host, port: prosody.c2sPort }, LINE);
  home = { folder: await mkdtemp(join(tmpdir(), 'spherecast-slow-')), masterKey: systemRandom(32) };
  ben = await RawMember.start(prosody, 'ben');
  await using member = await RawMember.start(prosody, 'ana', home);
  spheres = [];
  for (const name of SPHERES) {
    const { id } = await ben.session.members.create(name, soon());
    await ben.session.members.invite(id, parseBareJid(member.session.own), soon());
    spheres.push(await member.join(name));
  }
  for (let number = 0; number < CONTACTS; number += 1) {
    await member.session.people.contacts.add(parseBareJid(`friend${number}@a.test`), { name: null }, soon());
  }
});

afterAll(async () => {
  await ana[Symbol.asyncDispose]();
  await ben[Symbol.asyncDispose]();
  await line[Symbol.asyncDispose]();
  await prosody[Symbol.asyncDispose]();
  await rm(home.folder, { recursive: true, force: true });
});

const says = (who: RawMember, sphere: string, text: string): unknown => who.session.messages.say(sphere as never, text);

/** Of the line and of the clock, from now on. */
function stopwatch() {
  const [lineMs, wallMs] = [line.busyMs, performance.now()];
  return () => ({ lineMs: line.busyMs - lineMs, wallMs: performance.now() - wallMs });
}

/** How long the line needs until a member has something to read, from now on. */
async function timeUntil({ session }: RawMember, sphere: string, text: string): Promise<number> {
  const time = stopwatch();
  const isHere = (): boolean =>
    session.storage.messages.newest(sphere as never, 50).some((message) => message.text === text);
  await eventually(text, async () => (isHere() ? true : undefined), 60_000);
  return time().lineMs;
}

/** Ana comes online over the slow line; how long that and what was said meanwhile took. */
async function signIn() {
  for (const sphere of spheres) says(ben, sphere, 'while you were away');
  await eventually('ben has said it', async () => (ben.session.outgoing.isIdle ? true : undefined));
  const time = stopwatch();
  ana = await RawMember.start({ ...prosody, host: line.host, c2sPort: line.port }, 'ana', home, { withinMs: 60_000 });
  for (const sphere of spheres) await timeUntil(ana, sphere, 'while you were away');
  return time();
}

test('over a line of 56 kbit/s with 800 ms there and back one signs in, hears what was missed, and talks', async () => {
  const took = await signIn();
  const [sphere = ''] = spheres;
  says(ana, sphere, 'from afar');
  const sentMs = await timeUntil(ben, sphere, 'from afar');
  says(ben, sphere, 'to afar');
  const heardMs = await timeUntil(ana, sphere, 'to afar');
  console.info('over a slow line', JSON.stringify({ ...took, ...line.passed, sentMs, heardMs }));
  expect(took.lineMs).toBeLessThan(SIGN_IN.lineMs);
  expect(took.wallMs).toBeLessThan(SIGN_IN.wallMs);
  expect(Math.max(sentMs, heardMs)).toBeLessThan(MESSAGE_MS);
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
