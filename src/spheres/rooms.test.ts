import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { SimLink } from '../../test/sim/sim-link.ts';
import { SimRoomPort } from '../../test/sim/sim-room-port.ts';
import { SimServer } from '../../test/sim/sim-server.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import { xml } from '../xmpp/element.ts';
import type { RoomMessage } from '../xmpp/room-types.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { Rooms } from './rooms.ts';

const room = parseBareJid('sea@rooms.sim');
const ana = parseBareJid('ana@home.sim');
const ben = parseBareJid('ben@home.sim');

/** Ben in a room of Ana's; what he reads, and where his cursor stands. */
async function inRoom() {
  const clock = new VirtualClock();
  const server = new SimServer({ nowMs: () => clock.now() });
  const scope = new Scope({ log: silentLogger });
  onTestFinished(async () => await scope[Symbol.asyncDispose]());
  const link = new SimLink({ server, jid: ben });
  const read: string[] = [];
  const fails = (_text: string): boolean => false;
  const reading = (): Promise<void> => Promise.resolve();
  const open = (deps: ConstructorParameters<typeof SimRoomPort>[0]): SimRoomPort => new SimRoomPort(deps);
  const state = { lost: 0, cursor: null as string | null, onSettle: (): unknown => undefined, reading, fails, open };
  const rooms = new Rooms({
    openRoom: (address) => state.open({ server, link, address }),
    service: () => null,
    receive: (message: IncomingMessage) => {
      if (state.fails(message.body ?? '')) return Promise.reject(new AppError('disk-full', 'no room'));
      read.push(message.body ?? '');
      return state.reading();
    },
    receiveEphemeral: () => Promise.resolve(),
    cursor: { get: () => state.cursor, set: (_room: BareJid, id: string) => (state.cursor = id) },
    settle: () => state.onSettle(),
    lost: () => state.lost,
    spawn: (name, task) => scope.spawn(name, task),
    signal: scope.signal,
    clock,
    random: systemRandom,
    log: silentLogger,
  });
  const anas = new SimLink({ server, jid: ana });
  await anas.goOnline();
  await new SimRoomPort({ server, link: anas, address: room }).create();
  server.setAffiliation(room, ben, 'member');
  const say = (text: string): string => server.sayInRoom(room, ana, xml('message', {}, xml('body', {}, text)));
  return { clock, server, scope, link, rooms, read, state, say };
}

const turns = (): Promise<void> => sleep(5);

test('the archive is read first, then what comes live, and the cursor follows', async () => {
  const { link, rooms, read, state, say } = await inRoom();
  say('one');
  say('two');
  await link.goOnline();
  const caughtUp: BareJid[] = [];
  rooms.onCaughtUp.on((address) => caughtUp.push(address));
  rooms.keepJoined(room);
  await turns();
  const last = say('three');
  await turns();
  expect(read).toEqual(['one', 'two', 'three']);
  expect(state.cursor).toBe(last);
  expect([rooms.isInside(room), rooms.isCaughtUp(room), caughtUp]).toEqual([true, true, [room]]);
});

test('what came is waited for until it is on the disk: once after a burst, and again and again in a long archive', async () => {
  const { link, rooms, read, state, say } = await inRoom();
  const settled: number[] = [];
  state.onSettle = () => settled.push(read.length);
  state.reading = () => (read.length % 20 === 0 ? sleep(0) : Promise.resolve());
  for (let number = 0; number < 2_020; number += 1) say(`line ${number}`);
  await link.goOnline();
  rooms.keepJoined(room);
  await expect.poll(() => settled.at(-1)).toBe(2_020);
  expect(settled.slice(0, 2)).toEqual([1_000, 2_000]);
  settled.length = 0;
  // Longer than what comes at once takes to come.
  state.reading = () => sleep(0);
  for (let number = 0; number < 10; number += 1) say(`live ${number}`);
  await expect.poll(() => read.length).toBe(2_030);
  await turns();
  expect(settled).toEqual([2_030]);
  say('alone');
  await expect.poll(() => read.length).toBe(2_031);
  await turns();
  expect(settled).toEqual([2_030, 2_031]);
});

test('the cursor never passes a message that could not be kept', async () => {
  const { clock, link, rooms, read, state, say } = await inRoom();
  await link.goOnline();
  rooms.keepJoined(room);
  await turns();
  const first = say('one');
  await turns();
  state.fails = (text) => text === 'two';
  say('two');
  const last = say('three');
  await turns();
  expect(read).toEqual(['one', 'three']);
  expect(state.cursor).toBe(first);
  expect(rooms.isCaughtUp(room)).toBe(false);
  await clock.advance(10_000);
  await turns();
  expect(state.cursor).toBe(first);
  state.fails = () => false;
  await clock.advance(200_000);
  await turns();
  // From behind the cursor on everything comes again; whoever reads it knows what it has.
  expect(read).toEqual(['one', 'three', 'two', 'three']);
  expect(state.cursor).toBe(last);
  expect(rooms.isCaughtUp(room)).toBe(true);
});

test('the cursor never passes what was lost on its way to the disk, and the archive gives it again', async () => {
  const { clock, link, rooms, read, state, say } = await inRoom();
  await link.goOnline();
  rooms.keepJoined(room);
  await turns();
  const first = say('one');
  await turns();
  // After it was taken in, as when the disk is full at the end of the turn.
  state.reading = () => Promise.resolve(void (state.lost += 1));
  const last = say('two');
  await turns();
  expect([state.cursor, rooms.isCaughtUp(room)]).toEqual([first, false]);
  await clock.advance(10_000);
  await turns();
  expect([state.cursor, rooms.isCaughtUp(room)]).toEqual([first, false]);
  state.reading = () => Promise.resolve();
  await clock.advance(200_000);
  await turns();
  expect([state.cursor, rooms.isCaughtUp(room)]).toEqual([last, true]);
  expect(read).toEqual(['one', 'two', 'two', 'two']);
});

test('what is said under a nick that nobody told us the account of is read out of the archive', async () => {
  const { clock, server, link, rooms, read, state, say } = await inRoom();
  await link.goOnline();
  rooms.keepJoined(room);
  await turns();
  server.deliver = (message) => [{ ...message, from: null }];
  say('one');
  say('two');
  await turns();
  expect(read).toEqual([]);
  server.deliver = (message) => [message];
  const last = say('three');
  await turns();
  await clock.advance(10_000);
  await turns();
  // What came live meanwhile comes again; whoever reads it knows what it has.
  expect(read).toEqual(['three', 'one', 'two', 'three']);
  expect(state.cursor).toBe(last);
});

test('an archive that fails is asked again for as long as we are in the room, and live messages come meanwhile', async () => {
  const { clock, server, link, rooms, read, state, say } = await inRoom();
  say('old');
  server.answerHistory = () => {
    throw new AppError('timed-out', 'the archive is slow');
  };
  await link.goOnline();
  rooms.keepJoined(room);
  await turns();
  say('new');
  await turns();
  for (let minute = 0; minute < 20; minute += 1) await clock.advance(60_000);
  expect(read).toEqual(['new']);
  expect(state.cursor).toBeNull();
  server.answerHistory = (entries) => entries;
  await clock.advance(200_000);
  await turns();
  expect(read).toEqual(['new', 'old', 'new']);
  expect(rooms.isCaughtUp(room)).toBe(true);
});

test('what came while the connection was away is read before what comes after', async () => {
  const { link, rooms, read, say } = await inRoom();
  await link.goOnline();
  rooms.keepJoined(room);
  await turns();
  link.goOffline();
  say('meanwhile');
  await link.goOnline();
  say('after');
  await turns();
  expect(read.slice(0, 2)).toEqual(['meanwhile', 'after']);
});

test('a room that cannot be reached or refuses us stays ours, and is entered as soon as it lets us in', async () => {
  const { clock, server, link, rooms } = await inRoom();
  rooms.keepJoined(room);
  await clock.advance(10_000);
  expect([rooms.isInside(room), rooms.isRefused(room)]).toEqual([false, false]);
  await link.goOnline();
  await clock.advance(200_000);
  expect(rooms.isInside(room)).toBe(true);
  server.setAffiliation(room, ben, 'none');
  await turns();
  expect([rooms.isInside(room), rooms.isRefused(room)]).toEqual([false, true]);
  await rooms.leave(room);
  expect(rooms.isRefused(room)).toBe(false);
  rooms.keepJoined(room);
  await turns();
  expect(rooms.isRefused(room)).toBe(true);
  server.setAffiliation(room, ben, 'member');
  await link.invited(room);
  await turns();
  expect(rooms.isInside(room)).toBe(true);
});

test('somebody is let in while we are on our way in ourselves, and nobody without a connection', async () => {
  const { server, link, rooms } = await inRoom();
  server.setAffiliation(room, ben, 'owner');
  const letIn = (): Promise<void> => rooms.setAffiliation(room, zoe, 'member', new AbortController().signal);
  const zoe = parseBareJid('zoe@home.sim');
  rooms.keepJoined(room);
  await expect(letIn()).rejects.toMatchObject({ code: 'disconnected' });
  // The connection is there, and the room has not let us in yet.
  link.state = { kind: 'online', resumed: false };
  expect(rooms.isInside(room)).toBe(false);
  await letIn();
  expect(server.room(room).affiliations.get(zoe)).toBe('member');
});

test('arrivals are told once each, and nothing can be sent from outside', async () => {
  const { server, link, rooms } = await inRoom();
  const arrivals: (BareJid[] | null)[] = [];
  rooms.onArrival.on(({ accounts: came }) => arrivals.push(came === null ? null : [...came]));
  await link.goOnline();
  await expect(rooms.send(room, xml('message'), new AbortController().signal)).rejects.toMatchObject({
    code: 'disconnected',
  });
  rooms.keepJoined(room);
  await turns();
  const before = arrivals.length;
  const zoe = new SimLink({ server, jid: parseBareJid('zoe@home.sim') });
  server.setAffiliation(room, zoe.jid, 'member');
  await zoe.goOnline();
  await new SimRoomPort({ server, link: zoe, address: room }).join();
  expect([arrivals[0], arrivals.slice(before)]).toEqual([null, [[zoe.jid]]]);
  const accounts = [...rooms.present(room)].map((full) => full.split('/', 1)[0]);
  expect(accounts.toSorted()).toEqual([ana, ben, zoe.jid]);
  expect(() => rooms.domain).toThrow(/not connected/);
});

/** Its archive answers the first question as of our entry; what is said right then comes live before we know that we are inside. */
class EarlyRoomPort extends SimRoomPort {
  saidAtEntry: (() => RoomMessage) | undefined;

  override async join(): Promise<void> {
    const said = this.saidAtEntry?.();
    if (said !== undefined) this.onMessage.emit(said);
    await turns();
    await super.join();
  }

  override async *history(after: string | null): AsyncGenerator<RoomMessage, void, undefined> {
    const isEarly = this.saidAtEntry !== undefined;
    this.saidAtEntry = undefined;
    if (!isEarly) yield* super.history(after);
  }
}

test('what could not be kept while we came in is read again, though the archive was asked before it was said', async () => {
  const { clock, link, rooms, read, state, say } = await inRoom();
  state.open = (deps) => {
    const port = new EarlyRoomPort(deps);
    port.saidAtEntry = () => {
      const stanza = xml('message', {}, xml('body', {}, 'at the door'));
      const rest = { from: ana, nick: 'ana', archived: false, isReflection: false, delayMs: null };
      return { stanza, stanzaId: say('at the door'), ...rest };
    };
    return port;
  };
  state.fails = () => read.length === 0 && !rooms.isInside(room);
  await link.goOnline();
  rooms.keepJoined(room);
  await sleep(20);
  const last = say('later');
  await turns();
  await clock.advance(10_000);
  await turns();
  expect(read.filter((text) => text === 'at the door')).toHaveLength(1);
  expect([state.cursor, rooms.isCaughtUp(room)]).toEqual([last, true]);
});
