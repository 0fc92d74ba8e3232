import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import { VirtualClock } from '../../../test/fixtures/virtual-clock.ts';
import { AppError } from '../../base/errors.ts';
import { type Element, xml } from '../element.ts';
import { askServerTime, readEntityTime } from './0202-entity-time.ts';

const NOW = Date.UTC(2026, 7, 1, 12);
const signal = new AbortController().signal;

function answer(utc: string): Element {
  const time = xml('time', { xmlns: 'urn:xmpp:time' }, xml('tzo', {}, '-06:00'), xml('utc', {}, utc));
  return xml('iq', { type: 'result' }, time);
}

test('the time of the example in the specification is read', () => {
  expect(readEntityTime(answer('2006-12-19T17:58:35Z'))).toBe(Date.UTC(2006, 11, 19, 17, 58, 35));
  expect(readEntityTime(answer('yesterday'))).toBeUndefined();
  expect(readEntityTime(xml('iq', { type: 'result' }))).toBeUndefined();
});

test('a clock that is ahead of the server shows a positive difference', async () => {
  const clock = new VirtualClock(NOW);
  const client = new FakeXmppPort(() => answer('2026-08-01T11:58:00Z'));
  expect(await askServerTime(client, clock, signal)).toEqual({ roundTripMs: 0, aheadMs: 120_000 });
});

test('half of the way to the server and back is taken off', async () => {
  const clock = new VirtualClock(NOW);
  const client = new FakeXmppPort(() => answer('2026-08-01T12:00:00Z'));
  const iq = client.iq.bind(client);
  client.iq = async (...request) => {
    await clock.advance(400);
    return await iq(...request);
  };
  expect(await askServerTime(client, clock, signal)).toEqual({ roundTripMs: 400, aheadMs: 200 });
});

test('a server that tells no time was reached all the same, one that is silent was not', async () => {
  const clock = new VirtualClock(NOW);
  const refusing = new FakeXmppPort(() => {
    throw new AppError('not-found', 'refused', { condition: 'service-unavailable' });
  });
  expect(await askServerTime(refusing, clock, signal)).toEqual({ roundTripMs: 0, aheadMs: null });
  const silent = new FakeXmppPort(() => {
    throw new AppError('timed-out', 'no answer');
  });
  await expect(askServerTime(silent, clock, signal)).rejects.toMatchObject({ code: 'timed-out' });
});
