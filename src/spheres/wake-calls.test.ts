import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseBareJid } from '../base/id.ts';
import { xml } from '../xmpp/element.ts';
import type { Occupant } from '../xmpp/room-types.ts';
import { WakeCalls } from './wake-calls.ts';

const ROOM = parseBareJid('summer@rooms.a.test');
const WINTER = parseBareJid('winter@rooms.a.test');
const device = (number: number): string => number.toString(16).padStart(6, '0').padEnd(64, 'f');
const nickOf = (number: number): string => `ben-${device(number).slice(0, 6)}`;
const everybody = (room = ROOM) => ({ room, kind: 'endpoints', to: null }) as const;

function inRoom(devices: number, ordinary = 0) {
  const clock = new VirtualClock();
  const pings: { to: string; atMs: number }[] = [];
  const client = new FakeXmppPort((_payload, to) => {
    pings.push({ to: to ?? '', atMs: clock.monotonic() - begunMs });
    return xml('iq');
  });
  const rest = { jid: parseBareJid('ben@a.test'), affiliation: 'member', occupantId: null, caps: null } as const;
  const of = (number: number): Occupant => ({ nick: nickOf(number), fullJid: `ben@a.test/${number}`, ...rest });
  const others = Array.from({ length: devices + ordinary }, (_, number) => of(number));
  const occupants = [...others, { nick: 'ana-aaaaaa', fullJid: client.fullJid, ...rest }];
  const rename = (round: number): void => {
    for (const [at, other] of others.entries()) occupants[at] = { ...other, fullJid: `${other.fullJid}/${round}` };
  };
  const spawn = (_name: string, task: (signal: AbortSignal) => Promise<void>): void => {
    task(new AbortController().signal).catch(() => undefined);
  };
  const reads = async (_room: string, { nick }: Occupant): Promise<boolean> =>
    !others.slice(devices).some((other) => other.nick === nick);
  const calls = new WakeCalls({ client, occupants: () => occupants, reads, spawn, clock });
  const begunMs = clock.monotonic();
  const speaks = (number: number, room = ROOM): void =>
    client.onStanza.emit(xml('message', { from: `${room}/${nickOf(number)}`, type: 'groupchat' }));
  const woken = (): string[] => pings.map(({ to }) => to);
  return { clock, calls, pings, woken, speaks, rename };
}

test('whoever says nothing to our addresses is asked whether it is there, within half a second', async () => {
  const { clock, calls, speaks, pings } = inRoom(3);
  calls.said(everybody());
  await clock.advance(200);
  speaks(1);
  await clock.advance(10_000);
  expect(pings.map(({ to }) => to)).toEqual([`${ROOM}/${nickOf(0)}`, `${ROOM}/${nickOf(2)}`]);
  expect(Math.max(...pings.map(({ atMs }) => atMs))).toBeLessThanOrEqual(500);
});

test('ordinary programs, and we ourselves, are not asked', async () => {
  const { clock, calls, woken } = inRoom(1, 4);
  calls.said(everybody());
  await clock.advance(10_000);
  expect(woken()).toEqual([`${ROOM}/${nickOf(0)}`]);
});

test('a device in several rooms is asked once, and again only when it may have fallen asleep', async () => {
  const { clock, calls, woken } = inRoom(2);
  for (const room of [ROOM, WINTER]) calls.said(everybody(room));
  await clock.advance(1_000);
  calls.said(everybody());
  await clock.advance(40_000);
  expect(woken()).toHaveLength(2);
  calls.said(everybody());
  await clock.advance(20_000);
  calls.said(everybody());
  await clock.advance(1_000);
  expect(woken()).toHaveLength(4);
});

test('what is for one device wakes that one; when no nick names it, any of them may be it', async () => {
  const { clock, calls, woken } = inRoom(3);
  calls.said({ room: ROOM, kind: 'rtc', to: device(1) });
  await clock.advance(1_000);
  expect(woken()).toEqual([`${ROOM}/${nickOf(1)}`]);
  calls.said({ room: ROOM, kind: 'rtc', to: device(99) });
  await clock.advance(1_000);
  expect(woken()).toHaveLength(3);
});

test('words that can wait wake nobody', async () => {
  const { clock, calls, woken } = inRoom(3);
  for (const kind of ['typing', 'heads', 'have', 'reach', 'probe'] as const) calls.said({ room: ROOM, kind, to: null });
  await clock.advance(10_000);
  expect(woken()).toEqual([]);
});

test('in a large sphere the questions are spread, and bounded whatever a room says of who is there', async () => {
  const { clock, calls, pings } = inRoom(900);
  for (const room of [ROOM, WINTER]) calls.said(everybody(room));
  await clock.advance(60_000);
  expect(pings).toHaveLength(150);
  for (const [at, { atMs }] of pings.entries()) {
    expect(pings.filter((other, index) => index >= at && other.atMs < atMs + 1_000).length).toBeLessThanOrEqual(40);
  }
});

test('a room that makes up others each time something is said to it keeps no queue of questions growing', async () => {
  const { clock, calls, pings, rename } = inRoom(150);
  for (let round = 0; round < 40; round += 1) {
    calls.said(everybody());
    await clock.advance(400);
    rename(round);
  }
  const asked = pings.length;
  await clock.advance(60_000);
  // What was still to be asked when the last thing was said: of one room, not of forty.
  expect(pings.length - asked).toBeLessThanOrEqual(160);
});
