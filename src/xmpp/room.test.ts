import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { attr, type Element, NS_STANZAS, xml } from './element.ts';
import { Room } from './room.ts';
import type { RoomMessage } from './room-types.ts';
import { NS_MUC_USER } from './xep/0045-muc.ts';

const address = parseBareJid('family@rooms.a.test');
const never = new AbortController().signal;
const lost = new AppError('disconnected', 'cut');
/** A thousand times faster than life. */
const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 1000, signal) };

function presence(nick: string, jid: string, codes: readonly number[], type?: string): Element {
  const item = xml('item', { jid, affiliation: 'member', role: 'participant' });
  const statuses = codes.map((code) => xml('status', { code }));
  return xml('presence', { from: `${address}/${nick}`, type }, xml('x', { xmlns: NS_MUC_USER }, item, ...statuses));
}

/** A room service that lets ana in, at first under the nicks that are free. */
function service(
  options: {
    taken?: readonly string[];
    ping?: () => string | undefined;
    /** The condition by which the room refuses to let us in, and the error's type. */
    refuses?: () => string | undefined;
    type?: string;
  } = {},
): FakeXmppPort {
  const port = new FakeXmppPort(() => {
    const condition = options.ping?.();
    if (condition !== undefined) throw new AppError('bad-input', 'refused', { condition });
    return xml('iq', { type: 'result' });
  });
  port.onSend = (stanza) => {
    const nick = (attr(stanza, 'to') ?? '').split('/')[1] ?? '';
    if (stanza.name !== 'presence' || attr(stanza, 'type') !== undefined) return;
    const condition = options.refuses?.() ?? (options.taken?.includes(nick) === true ? 'conflict' : undefined);
    const error = xml('error', { type: options.type ?? 'cancel' }, xml(condition ?? 'conflict', { xmlns: NS_STANZAS }));
    queueMicrotask(() =>
      port.onStanza.emit(
        condition !== undefined
          ? xml('presence', { from: `${address}/${nick}`, type: 'error' }, error)
          : presence(nick, port.fullJid, [110]),
      ),
    );
  };
  return port;
}

function roomOf(client: FakeXmppPort, time = clock): Room {
  const room = new Room({ client, address, nick: 'ana', clock: time, log: silentLogger });
  onTestFinished(async () => await room[Symbol.asyncDispose]());
  return room;
}

const joins = (port: FakeXmppPort): number =>
  port.sent.filter((stanza) => stanza.name === 'presence' && attr(stanza, 'type') === undefined).length;

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; waited < 3000; waited += 5) {
    if (condition()) return;
    await sleep(5);
  }
  throw new Error(`never: ${what}`);
}

test('a nick that is taken gets a number', async () => {
  const port = service({ taken: ['ana', 'ana 2'] });
  const room = roomOf(port);
  await room.join(never);
  expect(room.nick).toBe('ana 3');
});

test('a room that forgot us while the connection was resumed is entered again', async () => {
  let condition: string | undefined;
  const port = service({ ping: () => condition });
  const room = roomOf(port);
  await room.join(never);
  port.setState({ kind: 'offline', error: lost });
  expect(room.state.kind).toBe('entering');
  port.setState({ kind: 'online', resumed: true });
  expect(room.state.kind).toBe('inside');
  await sleep(20);
  expect(joins(port)).toBe(1);
  condition = 'not-acceptable';
  port.setState({ kind: 'offline', error: lost });
  port.setState({ kind: 'online', resumed: true });
  await until(() => joins(port) === 2 && room.state.kind === 'inside', 'back inside');
});

test('a room that shuts down is entered again, a fault of the room as well', async () => {
  const port = service();
  const room = roomOf(port);
  const states: string[] = [];
  room.onState.on(({ kind }) => states.push(kind));
  await room.join(never);
  port.onStanza.emit(presence('ana', port.fullJid, [110, 332], 'unavailable'));
  await until(() => joins(port) === 2 && room.state.kind === 'inside', 'back after the shutdown');
  port.onStanza.emit(presence('ana', port.fullJid, [110, 307, 333], 'unavailable'));
  await until(() => joins(port) === 3 && room.state.kind === 'inside', 'back after the fault');
  expect(states).not.toContain('refused');
});

test('a member who is kicked comes back by himself, ever more slowly when it happens again and again', async () => {
  const port = service();
  const waits: number[] = [];
  const patient: Clock = {
    ...clock,
    sleep: (ms, signal) => {
      waits.push(ms);
      return clock.sleep(ms, signal);
    },
  };
  const room = roomOf(port, patient);
  await room.join(never);
  for (const count of [1, 2, 3]) {
    waits.length = 0;
    port.onStanza.emit(presence('ana', port.fullJid, [110, 307], 'unavailable'));
    expect(room.state.kind).toBe('entering');
    await until(() => joins(port) === count + 1 && room.state.kind === 'inside', 'back');
    expect(waits[0]).toBe(1000 * 2 ** count);
  }
});

test.each([
  ['loses his membership', [110, 321], 'not-a-member'],
  ['is locked out by a room that closes', [110, 322], 'not-a-member'],
  ['is banned', [110, 301], 'banned'],
])('a member who %s is refused, and comes in by himself once he is let in', async (_, codes, reason) => {
  let condition: string | undefined = 'registration-required';
  const port = service({ refuses: () => condition });
  const room = roomOf(port);
  condition = undefined;
  await room.join(never);
  condition = 'registration-required';
  port.onStanza.emit(presence('ana', port.fullJid, codes, 'unavailable'));
  expect(room.state).toEqual({ kind: 'refused', reason });
  expect(room.occupants).toEqual([]);
  await until(() => joins(port) >= 2, 'another attempt');
  expect(room.state.kind).toBe('refused');
  condition = undefined;
  await until(() => room.state.kind === 'inside', 'let in');
});

test('a room service that is away for a moment destroys no room: it is entered as soon as it is back', async () => {
  let condition: string | undefined;
  const port = service({ refuses: () => condition });
  const room = roomOf(port);
  const states: string[] = [];
  room.onState.on(({ kind }) => states.push(kind));
  await room.join(never);
  condition = 'service-unavailable';
  port.setState({ kind: 'offline', error: lost });
  port.setState({ kind: 'online', resumed: false });
  await until(() => joins(port) >= 4, 'tried again and again');
  condition = undefined;
  await until(() => room.state.kind === 'inside', 'back inside');
  expect(states).not.toContain('refused');
});

test('a room service that has too much to do for a moment keeps nobody out', async () => {
  let condition: string | undefined = 'resource-constraint';
  const port = service({ refuses: () => condition, type: 'wait' });
  const room = roomOf(port);
  room.keep();
  await until(() => joins(port) > 1, 'tried again');
  expect(room.state.kind).toBe('entering');
  condition = undefined;
  await until(() => room.state.kind === 'inside', 'inside');
});

test('a room that is kept although it refuses is tried again at once for an invitation and for a new connection', async () => {
  let condition: string | undefined = 'forbidden';
  const port = service({ refuses: () => condition });
  const room = roomOf(port, { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms, signal) });
  room.keep();
  await until(() => room.state.kind === 'refused', 'refused');
  expect(joins(port)).toBe(1);
  const invitation = xml('x', { xmlns: 'jabber:x:conference', jid: address });
  port.onStanza.emit(xml('message', { from: 'zoe@a.test/x' }, invitation));
  await until(() => joins(port) === 2, 'tried for the invitation');
  port.onStanza.emit(xml('message', { from: address }));
  await until(() => joins(port) === 3, 'tried for a word of the room');
  port.onStanza.emit(xml('message', { from: 'zoe@a.test/x' }, xml('x', { xmlns: 'jabber:x:conference', jid: 'b@c' })));
  await sleep(20);
  expect(joins(port)).toBe(3);
  // A connection that is resumed finds nobody inside who was not inside.
  port.setState({ kind: 'offline', error: lost });
  port.setState({ kind: 'online', resumed: true });
  await until(() => joins(port) === 4 && room.state.kind === 'refused', 'tried for the connection');
  condition = undefined;
  port.setState({ kind: 'offline', error: lost });
  port.setState({ kind: 'online', resumed: false });
  await until(() => room.state.kind === 'inside', 'inside');
});

test('a room that is kept while there is no connection is entered when there is one', async () => {
  const port = service();
  port.setState({ kind: 'offline', error: lost });
  const room = roomOf(port);
  room.keep();
  await sleep(20);
  expect(room.state.kind).toBe('outside');
  port.setState({ kind: 'online', resumed: false });
  await until(() => room.state.kind === 'inside', 'inside');
});

test('somebody else who loses the right to be there is told, somebody who goes is not', async () => {
  const port = service();
  const room = roomOf(port);
  const told: string[] = [];
  room.onExpelled.on((where) => told.push(where));
  await room.join(never);
  for (const codes of [[], [307], [321]]) {
    port.onStanza.emit(presence('ben', 'ben@a.test/x', []));
    port.onStanza.emit(presence('ben', 'ben@a.test/x', codes, 'unavailable'));
  }
  expect(told).toEqual([address]);
});

test('a room that was left is not entered again', async () => {
  const port = service();
  const room = roomOf(port);
  await room.join(never);
  await room.leave();
  port.setState({ kind: 'offline', error: lost });
  port.setState({ kind: 'online', resumed: false });
  await sleep(20);
  expect(joins(port)).toBe(1);
  expect(room.state.kind).toBe('outside');
});

test('a message is taken for ours only under our nick and with our id', async () => {
  const port = service();
  const room = roomOf(port);
  const heard: RoomMessage[] = [];
  room.onMessage.on((message) => heard.push(message));
  await room.join(never);
  port.onStanza.emit(presence('ben', 'ben@a.test/x', []));
  const message = (nick: string, id: string, by: string): Element =>
    xml(
      'message',
      { from: `${address}/${nick}`, type: 'groupchat', id },
      xml('stanza-id', { xmlns: 'urn:xmpp:sid:0', by, id: `archive-${nick}` }),
    );
  const sending = room.send(xml('message', { to: address, type: 'groupchat', id: 'mine' }));
  port.onStanza.emit(message('ben', 'mine', address));
  port.onStanza.emit(message('ana', 'another', address));
  port.onStanza.emit(message('ana', 'mine', address));
  expect(await sending).toBe('archive-ana');
  expect(heard.map(({ from, isReflection }) => [from, isReflection])).toEqual([
    ['ben@a.test', false],
    ['ana@a.test', false],
    ['ana@a.test', true],
  ]);
  port.onStanza.emit(message('ben', 'forged', 'ben@a.test'));
  expect(heard.at(-1)?.stanzaId).toBe(null);
});

test('a message that the room refuses, or that goes down with the session, fails', async () => {
  const port = service();
  const room = roomOf(port);
  await room.join(never);
  const refused = room.send(xml('message', { to: address, type: 'groupchat', id: 'first' })).catch(errorCode);
  const error = xml('error', { type: 'auth' }, xml('forbidden', { xmlns: NS_STANZAS }));
  port.onStanza.emit(xml('message', { from: address, type: 'error', id: 'first' }, error));
  expect(await refused).toBe('not-allowed');
  const drowned = room.send(xml('message', { to: address, type: 'groupchat', id: 'second' })).catch(errorCode);
  port.setState({ kind: 'offline', error: lost });
  port.setState({ kind: 'online', resumed: false });
  expect(await drowned).toBe('disconnected');
});

test('a room that lost us without a word refuses nothing for good: it is entered again and what was sent goes out then', async () => {
  let pinged: string | undefined = 'not-acceptable';
  const port = service({ ping: () => pinged });
  const room = roomOf(port);
  await room.join(never);
  const send = (id: string): Promise<unknown> =>
    room.send(xml('message', { to: address, type: 'groupchat', id })).catch(errorCode);
  const refuse = (id: string, condition: string): void => {
    const error = xml('error', { type: 'cancel' }, xml(condition, { xmlns: NS_STANZAS }));
    port.onStanza.emit(xml('message', { from: address, type: 'error', id }, error));
  };
  const lostUs = send('first');
  refuse('first', 'not-acceptable');
  expect(await lostUs).toBe('disconnected');
  await until(() => joins(port) === 2 && room.state.kind === 'inside', 'back inside');
  pinged = undefined;
  const unwanted = send('second');
  refuse('second', 'not-acceptable');
  expect(await unwanted).toBe('bad-input');
  const down = send('third');
  refuse('third', 'service-unavailable');
  expect(await down).toBe('disconnected');
  expect(joins(port)).toBe(2);
  // A ping to a room that is gone is answered as one to somebody whose program knows no pings.
  const gone = send('fourth');
  pinged = 'item-not-found';
  refuse('fourth', 'item-not-found');
  expect(await gone).toBe('disconnected');
  await until(() => joins(port) === 3 && room.state.kind === 'inside', 'back inside');
});

test('a room that cannot take a message just now has failed, one that does not want it has refused it', async () => {
  const port = service();
  const room = roomOf(port);
  await room.join(never);
  const answered = async (condition: string, type: string): Promise<string> => {
    const id = `${condition} ${type}`;
    const sent = room.send(xml('message', { to: address, type: 'groupchat', id })).catch(errorCode);
    const error = xml('error', { type }, xml(condition, { xmlns: NS_STANZAS }));
    port.onStanza.emit(xml('message', { from: address, type: 'error', id }, error));
    return String(await sent);
  };
  expect(await answered('internal-server-error', 'cancel')).toBe('server-unreachable');
  expect(await answered('resource-constraint', 'wait')).toBe('server-unreachable');
  expect(await answered('policy-violation', 'wait')).toBe('server-unreachable');
  expect(await answered('policy-violation', 'modify')).toBe('not-allowed');
  expect(await answered('resource-constraint', 'cancel')).toBe('not-allowed');
});

test('nothing is said in a room that came into being only because we entered it, before it is ours or gone again', async () => {
  for (const mayRebuild of [true, false]) {
    const port = service();
    const room = new Room({
      client: port,
      address,
      nick: 'ana',
      clock,
      log: silentLogger,
      mayRebuild: () => mayRebuild,
    });
    onTestFinished(async () => await room[Symbol.asyncDispose]());
    const states: string[] = [];
    room.onState.on(({ kind }) => states.push(kind));
    const asked: string[] = [];
    const { iq } = port;
    port.iq = (...question) => {
      asked.push(room.state.kind);
      return iq.apply(port, question);
    };
    port.onSend = () => queueMicrotask(() => port.onStanza.emit(presence('ana', port.fullJid, [110, 201])));
    const entered = await room.join(never).then(() => 'inside', errorCode);
    expect(asked).not.toEqual([]);
    expect(new Set(asked)).toEqual(new Set(['entering']));
    expect(entered).not.toBe('inside');
    expect(states).toEqual(['entering', 'outside']);
  }
});

test('a farewell that comes while the connection is resumed is not overlooked', async () => {
  const port = service();
  const room = roomOf(port);
  await room.join(never);
  port.setState({ kind: 'offline', error: lost });
  port.setState({ kind: 'connecting' });
  port.onStanza.emit(presence('ana', port.fullJid, [110, 332], 'unavailable'));
  port.setState({ kind: 'online', resumed: true });
  expect(room.state.kind).toBe('entering');
  await until(() => joins(port) === 2 && room.state.kind === 'inside', 'back inside');
});

test('what the room repeats from before is left to its archive', async () => {
  const port = service();
  const room = roomOf(port);
  const heard: RoomMessage[] = [];
  room.onMessage.on((message) => heard.push(message));
  await room.join(never);
  const delay = (from: string): Element =>
    xml('delay', { xmlns: 'urn:xmpp:delay', from, stamp: '2026-01-01T00:00:00Z' });
  const attrs = { from: `${address}/ben`, type: 'groupchat' };
  port.onStanza.emit(xml('message', attrs, delay(address)));
  port.onStanza.emit(xml('message', attrs, delay('a.test')));
  expect(heard).toHaveLength(1);
});

test('an invitation to come in waits for somebody away only when asked to, and says nothing in words', async () => {
  const port = service();
  const room = roomOf(port);
  await room.invite(parseBareJid('zoe@a.test'));
  await room.invite(parseBareJid('zoe@a.test'), 'store');
  const parts = port.sent.map((stanza) => stanza.getChildElements().map(({ name, attrs }) => [name, attrs['xmlns']]));
  const invitation = ['x', 'jabber:x:conference'];
  const hints = 'urn:xmpp:hints';
  expect(parts).toEqual([
    [invitation, ['no-store', hints]],
    [invitation, ['store', hints]],
  ]);
  expect(port.sent.map((stanza) => stanza.getText())).toEqual(['', '']);
});
