import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseBareJid } from '../base/id.ts';
import { systemRandom } from '../base/random.ts';
import { EarlyHistory } from './early-history.ts';
import { attr, type Element, xml } from './element.ts';
import { IqTable } from './iq-table.ts';
import { readHistory } from './room-history.ts';
import type { RoomMessage } from './room-types.ts';
import { NS_MAM } from './xep/0313-mam.ts';

const never = new AbortController().signal;
const line = (nick: string): RoomMessage => ({ nick }) as RoomMessage;

/** An archive that answers when it is told to. */
function archive() {
  const asked: (string | null)[] = [];
  const answers: PromiseWithResolvers<readonly string[]>[] = [];
  const early = new EarlyHistory(async function* (after, _signal, onPart) {
    asked.push(after);
    const answer = Promise.withResolvers<readonly string[]>();
    answers.push(answer);
    for (const nick of await answer.promise) {
      onPart?.();
      yield line(nick);
    }
  });
  const read = async (after: string | null): Promise<string[]> => {
    const nicks: string[] = [];
    for await (const { nick } of early.take(after, never)) nicks.push(nick);
    return nicks;
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { early, asked, answers, read, settle };
}

test('what is asked for with the entry is read once we are inside, without being asked for again', async () => {
  const { early, asked, answers, read } = archive();
  early.begin('7', never);
  early.entered();
  answers[0]?.resolve(['a', 'b']);
  expect(await read('7')).toEqual(['a', 'b']);
  expect(asked).toEqual(['7']);
});

test('an answer that came before we were inside is asked for anew: what was said in between is not lost', async () => {
  const { early, asked, answers, read, settle } = archive();
  early.begin('7', never);
  answers[0]?.resolve([]);
  await settle();
  early.entered();
  const reading = read('7');
  await settle();
  answers[1]?.resolve(['said in between']);
  expect(await reading).toEqual(['said in between']);
  expect(asked).toEqual(['7', '7']);
});

test('a refusal, and another place to read from, mean that it is asked for anew', async () => {
  const { early, asked, answers, read, settle } = archive();
  early.begin('7', never);
  early.entered();
  answers[0]?.reject(new Error('forbidden'));
  const first = read('7');
  await settle();
  answers[1]?.resolve(['a']);
  expect(await first).toEqual(['a']);
  early.begin('7', never);
  const second = read('8');
  await settle();
  answers[3]?.resolve(['b']);
  expect(await second).toEqual(['b']);
  expect(asked).toEqual(['7', '7', '7', '8']);
});

/** The archive of a room, asked over a connection: what was asked, and an empty answer to it. */
function emptyRoom() {
  const address = parseBareJid('family@rooms.a.test');
  const table = new IqTable({ clock: new VirtualClock(), random: systemRandom, line: { heard: 0, lateMs: 0 } });
  const asked: Element[] = [];
  const send = async (stanza: Element): Promise<void> => void asked.push(stanza);
  const client = new FakeXmppPort(() => xml('iq'));
  client.iq = (type, to, payload, signal, onAnswer) => table.request(send, { type, to, payload, onAnswer }, signal);
  const early = new EarlyHistory((...query) => readHistory({ client, address }, ...query));
  const own = { bare: client.jid, full: client.fullJid, domain: client.domain };
  const answer = (): boolean => {
    const id = attr(asked.at(-1), 'id');
    return table.settle(
      xml('iq', { type: 'result', from: address, id }, xml('fin', { xmlns: NS_MAM, complete: 'true' })),
      own,
    );
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { early, asked, answer, settle };
}

test('an empty answer right before our entry, in the same packet, is asked for anew', async () => {
  const { early, asked, answer, settle } = emptyRoom();
  early.begin('7', never);
  await settle();
  answer();
  early.entered();
  const first = early.take('7', never).next();
  await settle();
  expect(asked).toHaveLength(2);
  answer();
  expect((await first).done).toBe(true);
});

test('an empty answer right behind our entry, in the same packet, is enough', async () => {
  const { early, asked, answer, settle } = emptyRoom();
  early.begin('7', never);
  await settle();
  early.entered();
  answer();
  expect((await early.take('7', never).next()).done).toBe(true);
  expect(asked).toHaveLength(1);
});
