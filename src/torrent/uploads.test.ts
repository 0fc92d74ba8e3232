import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { TokenBucket } from './limits.ts';
import type { BlockRequest, UploadsDeps } from './uploads.ts';
import { REQUEST_QUEUE, Uploads } from './uploads.ts';

const block = (index: number): BlockRequest => ({ index, offset: 0, length: 16_384 });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function uploads(options: { rate?: number; read?: UploadsDeps['read'] } = {}) {
  const clock = new VirtualClock(0);
  const sent: number[] = [];
  const rejected: number[] = [];
  const failures: unknown[] = [];
  const state = { backlog: 0, connections: 1, drain: (): void => undefined };
  const subject = new Uploads({
    bucket: new TokenBucket({ clock, rate: options.rate ?? 0 }),
    read: options.read ?? (() => Promise.resolve(new Uint8Array(16_384))),
    send: ({ index }) => void sent.push(index),
    reject: ({ index }) => void rejected.push(index),
    backlog: () => state.backlog,
    connections: () => state.connections,
    drained: () => new Promise((resolve) => (state.drain = resolve)),
    onFailure: (error) => void failures.push(error),
  });
  return { subject, clock, sent, rejected, failures, state };
}

test('requests are served in order', async () => {
  const { subject, sent } = uploads();
  for (const index of [3, 1, 2]) subject.request(block(index));
  await settle();
  expect(sent).toEqual([3, 1, 2]);
});

test('nothing is read while more than four mebibytes wait to be sent', async () => {
  const { subject, sent, state } = uploads();
  state.backlog = 4 * 1024 * 1024 + 1;
  subject.request(block(0));
  await settle();
  expect(sent).toEqual([]);
  state.backlog = 0;
  state.drain();
  await settle();
  expect(sent).toEqual([0]);
});

test('a cancelled request is rejected and never sent', async () => {
  const { subject, clock, sent, rejected } = uploads({ rate: 16_384 });
  for (const index of [0, 1, 2]) subject.request(block(index));
  await clock.advance(150);
  subject.cancel(block(1));
  subject.cancel(block(77));
  await clock.advance(5000);
  expect([sent, rejected]).toEqual([[0, 2], [1]]);
});

test('choking rejects what is queued', async () => {
  const { subject, clock, sent, rejected } = uploads({ rate: 16_384 });
  for (const index of [0, 1, 2]) subject.request(block(index));
  subject.rejectAll();
  await clock.advance(5000);
  expect([sent, rejected]).toEqual([[], [0, 1, 2]]);
});

test('a peer that asks for more than twice its queue is told so', () => {
  const { subject } = uploads({ rate: 1 });
  const answers = Array.from({ length: REQUEST_QUEUE * 2 + 5 }, (_, index) => subject.request(block(index)));
  expect(answers.filter((accepted) => !accepted).length).toBeGreaterThan(0);
});

test('a block that cannot be read is a failure, and nothing more is sent', async () => {
  const { subject, sent, failures } = uploads({
    read: ({ index }) => (index === 1 ? Promise.reject(new Error('gone')) : Promise.resolve(new Uint8Array(1))),
  });
  for (const index of [0, 1, 2]) subject.request(block(index));
  await settle();
  expect([sent, failures.length]).toEqual([[0], 1]);
});

test('many connections share what may wait to be sent', async () => {
  const { subject, sent, state } = uploads();
  state.connections = 500;
  state.backlog = 300 * 1024;
  subject.request(block(0));
  await settle();
  expect(sent).toEqual([]);
  state.connections = 1;
  state.drain();
  await settle();
  expect(sent).toEqual([0]);
});

test('a peer that asks for one block of each piece and reads nothing does not hold all pieces in memory', async () => {
  const MIB = 1024 * 1024;
  const { subject, sent, state } = uploads({
    read: () => Promise.resolve(new Uint8Array(new ArrayBuffer(MIB), 0, 16_384)),
  });
  state.backlog = 16_384;
  for (let index = 0; index < 40; index += 1) subject.request(block(index));
  // Another block of a piece that is held costs nothing more.
  subject.request(block(0));
  await settle();
  expect(sent).toHaveLength(8);
  state.drain();
  await settle();
  expect(sent).toHaveLength(16);
});
