import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { errorCode } from '../base/errors.ts';
import { xml } from './element.ts';
import { Reflections } from './reflections.ts';

/** A room that is asked `ask` whether it is there, and what became of a message sent into it. */
function roomThat(ask: () => Promise<boolean>) {
  const clock = new VirtualClock();
  const line = { heard: 0, lateMs: 0 };
  const reflections = new Reflections({ clock, line, ask });
  const send = (id: string) => {
    const message = { outcome: '', comesBack: () => reflections.settle(xml('message', { id }), 'archived') };
    const sent = reflections.expect(xml('message', { id }), () => Promise.resolve());
    sent.then(
      (archiveId) => (message.outcome = archiveId ?? 'sent'),
      (error: unknown) => (message.outcome = errorCode(error)),
    );
    return message;
  };
  return { clock, line, send };
}

test('a room that swallows a message and answers everything else is not waited for as long as one that is slow', async () => {
  const { clock, send } = roomThat(() => Promise.resolve(true));
  const message = send('swallowed');
  await clock.advance(2_000);
  expect(message.outcome).toBe('');
  await clock.advance(3_000);
  expect(message.outcome).toBe('timed-out');
});

test('what a room sends back just after it was asked has arrived', async () => {
  const { clock, send } = roomThat(() => Promise.resolve(true));
  const message = send('late');
  await clock.advance(3_500);
  message.comesBack();
  await clock.advance(0);
  expect(message.outcome).toBe('archived');
});

test('a room that answers nothing at all, or late on a slow line, is waited for as before', async () => {
  for (const ask of [() => Promise.resolve(false), () => new Promise<boolean>(() => undefined)]) {
    const { clock, send } = roomThat(ask);
    const message = send('slow');
    await clock.advance(15_000);
    expect(message.outcome).toBe('');
    await clock.advance(6_000);
    expect(message.outcome).toBe('timed-out');
  }
  let asked = 0;
  const { clock, line, send } = roomThat(async () => (asked += 1) > 0);
  line.lateMs = 30_000;
  send('behind much else');
  await clock.advance(30_000);
  expect(asked).toBe(0);
});
