import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { BareJid, SphereId } from '../../src/base/id.ts';
import { parseBareJid } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Onlookers } from '../../src/engine/onlookers.ts';
import { xml } from '../../src/xmpp/element.ts';
import { chatState } from '../../src/xmpp/xep/0085-chat-states.ts';
import { hint } from '../../src/xmpp/xep/0334-hints.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { passwordOf } from '../fixtures/engine-world.ts';
import type { Prosody } from '../fixtures/prosody.ts';
import { startProsody } from '../fixtures/prosody.ts';
import type { RawHome } from '../fixtures/raw-member.ts';
import { RawMember } from '../fixtures/raw-member.ts';

/** Instead of a minute. */
const QUIET_MS = 1_000;
const AT_ONCE_MS = 1_000;
/** So long Prosody goes on handing everything on after its client has spoken; it is five by default. */
const OPEN_S = 1;
const SETTLED_MS = OPEN_S * 1_000 + 500;
const mine = { endpoints: ['10.0.0.1:4000'], trackers: [], webrtc: true };
const soon = (): AbortSignal => AbortSignal.timeout(30_000);

let prosody: Prosody;
let ben: RawMember;
let home: RawHome;
let sphere: SphereId;
let room: BareJid;
const bensPeople = new Onlookers({ quietMs: QUIET_MS });

beforeAll(async () => {
  const users = { ana: passwordOf('ana'), ben: passwordOf('ben') };
  prosody = await startProsody({ users, globalLines: `csi_resume_inactive_delay = ${OPEN_S}` });
  home = { folder: await mkdtemp(join(tmpdir(), 'spherecast-unwatched-')), masterKey: systemRandom(32) };
  ben = await RawMember.start(prosody, 'ben', undefined, { onlookers: bensPeople });
  await using ana = await RawMember.start(prosody, 'ana', home);
  const { id } = await ben.session.members.create('Summer', soon());
  await ben.session.members.invite(id, parseBareJid(ana.session.own), soon());
  sphere = await ana.join('Summer');
  room = ben.sphere(sphere).row.room;
  await ben.session.exchange.announce({ ...mine, endpoints: ['10.0.0.2:4000'] });
});

afterAll(async () => {
  await ben[Symbol.asyncDispose]();
  await prosody[Symbol.asyncDispose]();
  await rm(home.folder, { recursive: true, force: true });
});

/** Ana, who has an address to tell and is about to enter the room. */
async function anaComes(): Promise<RawMember> {
  const ana = await RawMember.start(prosody, 'ana', home);
  onTestFinished(async () => await ana[Symbol.asyncDispose]());
  await ana.session.exchange.announce(mine);
  return ana;
}

/** Until nobody has looked at Ben's computer for a while, and the server holds back what can wait. */
async function nobodyLooks(): Promise<void> {
  await sleep(QUIET_MS + SETTLED_MS);
}

const stanzasOf = (member: RawMember): string[] => {
  const names: string[] = [];
  onTestFinished(member.session.client.onStanza.on(({ name }) => void names.push(name)));
  return names;
};

test('where nobody looks, a member who comes is seen and called within a second, and both know where the other is', async () => {
  await nobodyLooks();
  const came = Promise.withResolvers<number>();
  const heard = ben.feed.heard.length;
  onTestFinished(ben.session.rooms.onArrival.on(() => came.resolve(performance.now())));
  const ana = await anaComes();
  await eventually('ana is inside', async () => ana.session.rooms.isInside(room) || undefined);
  const enteredMs = performance.now();
  await eventually('ben knows where ana is', async () => ben.feed.heard.length > heard || undefined);
  const told = performance.now() - enteredMs;
  await eventually('ana knows where ben is', async () => ana.feed.heard.length > 0 || undefined);
  const known = performance.now() - enteredMs;
  const seen = (await came.promise) - enteredMs;
  console.info('nobody looks: a member who comes', JSON.stringify({ seen, told, known }));
  expect(Math.max(seen, told, known)).toBeLessThan(AT_ONCE_MS);
});

test('where nobody looks, typing and coming and going is held back, and comes at once with a text, or when somebody looks', async () => {
  const ana = await anaComes();
  const type = async (turn: number): Promise<void> => {
    const state = chatState(turn % 2 === 0 ? 'composing' : 'paused');
    await ana.session.client.send(xml('message', { to: room, type: 'groupchat' }, state, hint('no-store')));
  };
  await nobodyLooks();
  // On a busy machine the words of her arrival, and what Ben says to them, take their time.
  await eventually('the server holds something back', async () => {
    const quiet = ben.session.client.heard;
    await type(0);
    await sleep(SETTLED_MS);
    return ben.session.client.heard === quiet || undefined;
  });
  const [stanzas, before] = [stanzasOf(ben), ben.session.client.heard];
  for (let turn = 0; turn < 20; turn += 1) {
    await type(turn);
    await sleep(50);
  }
  const held = ben.session.client.heard - before;
  expect(stanzas).toEqual([]);
  const saidMs = performance.now();
  ana.session.messages.say(sphere, 'dinner is ready');
  const isHere = (): boolean =>
    ben.session.storage.messages.newest(sphere as never, 5).some(({ text }) => text === 'dinner is ready');
  await eventually('the text', async () => isHere() || undefined);
  const took = performance.now() - saidMs;
  console.info('nobody looks: others write', JSON.stringify({ held, took, stanzas: stanzas.length }));
  expect(took).toBeLessThan(AT_ONCE_MS);
  await nobodyLooks();
  const quiet = stanzas.length;
  await ana[Symbol.asyncDispose]();
  await sleep(1_000);
  expect(stanzas).toHaveLength(quiet);
  using _look = bensPeople.begin();
  await eventually('that ana has gone', async () => stanzas.length > quiet || undefined);
});
