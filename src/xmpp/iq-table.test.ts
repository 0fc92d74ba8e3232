import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { errorCode } from '../base/errors.ts';
import { systemRandom } from '../base/random.ts';
import { attr, type Element, xml } from './element.ts';
import { IqTable } from './iq-table.ts';

const ARCHIVE = 'family@rooms.a.test';
const own = { bare: 'ana@a.test', full: 'ana@a.test/here', domain: 'a.test' };

function ask(to: string, { lateMs = 0, signal }: { lateMs?: number; signal?: AbortSignal } = {}) {
  const clock = new VirtualClock();
  const line = { heard: 0, lateMs };
  const table = new IqTable({ clock, random: systemRandom, line });
  const sent: Element[] = [];
  const send = async (stanza: Element): Promise<void> => void sent.push(stanza);
  const outcome = { code: 'waiting' };
  const request = { type: 'set' as const, to, payload: xml('query', { xmlns: 'urn:ask' }) };
  void table.request(send, request, signal).then(
    () => (outcome.code = 'answered'),
    (error: unknown) => (outcome.code = errorCode(error)),
  );
  const answer = (): boolean =>
    table.settle(xml('iq', { type: 'result', from: to, id: attr(sent[0], 'id') ?? '' }), own);
  return { clock, table, line, sent, outcome, answer };
}

test('a request that is not answered in time fails, and a late answer counts for nothing', async () => {
  const { clock, outcome, answer } = ask(ARCHIVE);
  await clock.advance(14_000);
  expect(outcome.code).toBe('waiting');
  await clock.advance(2000);
  expect(outcome.code).toBe('timed-out');
  expect(answer()).toBe(false);
});

test('a request that stands behind much else on a slow line is waited for longer', async () => {
  const { clock, outcome, answer } = ask(ARCHIVE, { lateMs: 40_000 });
  await clock.advance(54_000);
  expect([outcome.code, answer()]).toEqual(['waiting', true]);
  const other = ask(ARCHIVE, { lateMs: 40_000 });
  await other.clock.advance(56_000);
  expect(other.outcome.code).toBe('timed-out');
});

test('a page that takes minutes on a slow line is waited for as long as parts of it come', async () => {
  const { clock, table, outcome, answer } = ask(ARCHIVE);
  for (let part = 0; part < 20; part += 1) {
    await clock.advance(10_000);
    table.prolong(ARCHIVE);
  }
  expect(outcome.code).toBe('waiting');
  expect(answer()).toBe(true);
  await clock.advance(1);
  expect(outcome.code).toBe('answered');
});

test('parts from one address keep no request to another one waiting', async () => {
  const { clock, table, outcome } = ask('silent.a.test');
  await clock.advance(10_000);
  table.prolong(ARCHIVE);
  await clock.advance(6000);
  expect(outcome.code).toBe('timed-out');
});

test('an answer that stands behind much else on a slow line is waited for, and not for ever', async () => {
  const { clock, line, outcome } = ask('slow.a.test');
  const hear = async (seconds: number, bytesEach: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      line.heard += bytesEach;
      await clock.advance(1000);
    }
  };
  await hear(50, 2000);
  expect(outcome.code).toBe('waiting');
  await hear(15, 2000);
  expect(outcome.code).toBe('timed-out');
});

test('the little that comes on an idle line keeps no request waiting', async () => {
  const { clock, line, outcome } = ask('silent.a.test');
  await clock.advance(14_000);
  line.heard += 3000;
  await clock.advance(2000);
  expect(outcome.code).toBe('timed-out');
});

test('a request that was given up before it began is not sent', async () => {
  const { clock, outcome, sent } = ask(ARCHIVE, { signal: AbortSignal.abort() });
  await clock.advance(1);
  expect([outcome.code, sent]).toEqual(['cancelled', []]);
});
