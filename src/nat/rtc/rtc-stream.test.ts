import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeChannel } from '../../../test/fixtures/fake-rtc.ts';
import { VirtualClock } from '../../../test/fixtures/virtual-clock.ts';
import { AppError } from '../../base/errors.ts';
import { ReceiveBudget } from './receive-budget.ts';
import { RtcStream } from './rtc-stream.ts';
import { decodeControl, encodeControl, FIRST_CREDIT, MESSAGE_BYTES, MESSAGE_COST } from './stream-messages.ts';

interface Ends {
  readonly near: RtcStream;
  readonly far: RtcStream;
  readonly nearChannel: FakeChannel;
  readonly farChannel: FakeChannel;
  readonly clock: VirtualClock;
  readonly budget: ReceiveBudget;
}

function connect(budgetBytes = 16 * 2 ** 20): Ends {
  const clock = new VirtualClock();
  const [nearChannel, farChannel] = FakeChannel.pair();
  const budget = new ReceiveBudget(budgetBytes);
  const near = new RtcStream({ channel: nearChannel, opened: 'here', clock, budget: new ReceiveBudget(budgetBytes) });
  const far = new RtcStream({ channel: farChannel, opened: 'there', clock, budget });
  return { near, far, nearChannel, farChannel, clock, budget };
}

/** Alone at its end of a channel, with a hostile other side. */
function connectAlone(): { stream: RtcStream; other: FakeChannel; heard: (string | Uint8Array)[] } {
  const [channel, other] = FakeChannel.pair();
  const heard: (string | Uint8Array)[] = [];
  other.onMessage((message) => heard.push(message));
  const deps = { channel, clock: new VirtualClock(), budget: new ReceiveBudget(2 ** 20) };
  const stream = new RtcStream({ ...deps, opened: 'there' });
  return { stream, other, heard };
}

function attempt<T>(act: () => T): T | AppError {
  try {
    return act();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

async function settle(turns = 50): Promise<void> {
  for (let index = 0; index < turns; index += 1) await turn();
}

function bytesOf(messages: readonly (string | Uint8Array)[]): number {
  return messages.reduce((sum, message) => sum + (typeof message === 'string' ? 0 : message.length), 0);
}

describe('a stream over a data channel', () => {
  test('bytes arrive whole and in order, however they were written', async () => {
    const lengths = fc.array(
      fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 3 * MESSAGE_BYTES })),
      {
        maxLength: 6,
      },
    );
    await fc.assert(
      fc.asyncProperty(lengths, fc.boolean(), async (all, corked) => {
        const parts = all.map((length) => randomBytes(length));
        const { near, far } = connect();
        if (corked) near.cork();
        for (const part of parts) near.write(part);
        if (corked) near.uncork();
        near.end();
        expect(Buffer.compare(await buffer(far), Buffer.concat(parts))).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('small writes of one turn travel in one message', async () => {
    const { near, nearChannel, far } = connect();
    far.resume();
    near.cork();
    for (let index = 0; index < 100; index += 1) near.write(Buffer.alloc(17, index));
    near.uncork();
    await settle();
    expect(nearChannel.sent.filter((message) => typeof message !== 'string').map(({ length }) => length)).toEqual([
      1_700,
    ]);
  });

  test('a reader that does not read makes the sender wait, and reading lets it go on', async () => {
    const { near, far, nearChannel } = connect();
    let taken = false;
    near.write(Buffer.alloc(4 * 2 ** 20), () => (taken = true));
    await settle();
    expect(bytesOf(nearChannel.sent)).toBeLessThanOrEqual(FIRST_CREDIT);
    expect(taken).toBe(false);
    let got = 0;
    far.on('data', (chunk: Uint8Array) => (got += chunk.length));
    await settle(400);
    expect([got, taken]).toEqual([4 * 2 ** 20, true]);
  });

  test('a paused reader keeps no more than its window', async () => {
    const { near, far, nearChannel, budget } = connect(2 ** 20);
    let got = 0;
    far.on('data', (chunk: Uint8Array) => (got += chunk.length));
    for (let index = 0; index < 8; index += 1) near.write(Buffer.alloc(2 ** 20));
    await settle(10);
    far.pause();
    await settle(100);
    const unread = bytesOf(nearChannel.sent) - got;
    expect(unread).toBeLessThanOrEqual(FIRST_CREDIT + 2 ** 20 - budget.left);
    expect(bytesOf(nearChannel.sent)).toBeLessThan(8 * 2 ** 20);
  });

  test('what a stream took of the common budget is given back when it ends', async () => {
    const { near, far, budget } = connect();
    far.resume();
    near.write(Buffer.alloc(2 ** 20));
    await settle(100);
    expect(budget.left).toBeLessThan(16 * 2 ** 20);
    far.destroy();
    expect(budget.left).toBe(16 * 2 ** 20);
  });

  test('a full buffer of the library makes the writer wait until it is low', async () => {
    const { near, far, nearChannel } = connect();
    far.resume();
    near.write(Buffer.alloc(2 ** 20));
    await settle(200);
    nearChannel.isFlowing = false;
    let taken = false;
    near.write(Buffer.alloc(2 * 2 ** 20), () => (taken = true));
    await settle(100);
    expect(taken).toBe(false);
    expect(nearChannel.bufferedAmount()).toBeLessThan(2 ** 20 + MESSAGE_BYTES + 1);
    nearChannel.drain();
    await settle(200);
    expect(taken).toBe(true);
  });

  test('one message is all until the other side listens, so that the library cannot swap two of them', async () => {
    const [channel, other] = FakeChannel.pair();
    const heard: (string | Uint8Array)[] = [];
    const deps = { channel, clock: new VirtualClock(), budget: new ReceiveBudget(2 ** 20) };
    const stream = new RtcStream({ ...deps, opened: 'here' });
    other.onMessage((message) => heard.push(message));
    stream.end(Buffer.alloc(100_000));
    await settle();
    expect(heard.map(({ length }) => length)).toEqual([MESSAGE_BYTES]);
    other.sendMessage('ready');
    await settle();
    expect(heard.slice(1)).toEqual([expect.objectContaining({ length: 100_000 - MESSAGE_BYTES }), 'end']);
  });

  test('an end without bytes is told at once, and whoever is called says that they listen', async () => {
    const { near, nearChannel, farChannel } = connect();
    near.end();
    await settle();
    expect([nearChannel.sent[0], farChannel.sent[0]]).toEqual(['end', 'ready']);
  });

  test('an end arrives after the last byte, and both sides close', async () => {
    const { near, far } = connect();
    near.resume();
    far.resume();
    const closed = Promise.all([once(near, 'close'), once(far, 'close'), once(near, 'finish'), once(far, 'end')]);
    near.end(Buffer.alloc(300_000));
    await closed;
    expect([near.errored, far.errored]).toEqual([null, null]);
  });

  test('what arrived before an orderly close can still be read by a slow reader', async () => {
    const { near, far } = connect();
    near.end(Buffer.alloc(100_000, 1));
    await settle();
    expect(far.destroyed).toBe(false);
    expect((await buffer(far)).length).toBe(100_000);
  });

  test('both sides may end at once', async () => {
    const { near, far } = connect();
    near.end('near');
    far.end('far');
    expect([String(await buffer(near)), String(await buffer(far))]).toEqual(['far', 'near']);
  });

  test('a destroyed stream closes the other side without an error', async () => {
    const { near, far } = connect();
    const closed = once(far, 'close');
    near.destroy();
    await closed;
    expect([far.destroyed, far.errored]).toEqual([true, null]);
  });

  test('a write that waits is over when the channel closes', async () => {
    const { near, far } = connect();
    const failed = new Promise((resolve) => near.write(Buffer.alloc(2 ** 20), resolve));
    await settle();
    far.destroy();
    expect(await failed).toBeInstanceOf(Error);
    expect(near.destroyed).toBe(true);
  });

  test('an end that nobody acknowledges does not last longer than ten seconds', async () => {
    const { stream } = connectAlone();
    const clock = new VirtualClock();
    const [channel] = FakeChannel.pair();
    const unheard = new RtcStream({ channel, opened: 'there', clock, budget: new ReceiveBudget(0) });
    unheard.end(Buffer.alloc(2 ** 20));
    await clock.advance(9_000);
    expect(unheard.destroyed).toBe(false);
    await clock.advance(1_500);
    expect(unheard.destroyed).toBe(true);
    stream.destroy();
  });
});

describe('a hostile other side of a stream', () => {
  const refused: [string, (other: FakeChannel) => void][] = [
    [
      'more bytes than granted',
      (other) => [1, 2, 3].forEach(() => other.sendMessageBinary(Buffer.alloc(MESSAGE_BYTES))),
    ],
    ['an empty message', (other) => other.sendMessageBinary(Buffer.alloc(0))],
    ['an unknown word', (other) => other.sendMessage('+0')],
    ['credit without end', (other) => [1, 2, 3].forEach(() => other.sendMessage('+60000000'))],
    [
      'bytes after the end',
      (other) => {
        other.sendMessage('end');
        other.sendMessageBinary(Buffer.alloc(1));
      },
    ],
  ];
  test.each(refused)('%s: the stream breaks', async (_, attack) => {
    const { stream, other } = connectAlone();
    const broke = once(stream, 'error');
    attack(other);
    expect(await broke).toEqual([expect.objectContaining({ code: 'bad-input' })]);
    expect(other.isOpen() && stream.destroyed).toBe(true);
  });

  test('many tiny messages use up the credit as few large ones do', async () => {
    const { stream, other } = connectAlone();
    const broke = once(stream, 'error');
    const most = Math.floor(FIRST_CREDIT / (MESSAGE_COST + 1));
    for (let index = 0; index < most; index += 1) other.sendMessageBinary(Buffer.alloc(1));
    await settle();
    expect(stream.destroyed).toBe(false);
    other.sendMessageBinary(Buffer.alloc(1));
    expect(await broke).toEqual([expect.objectContaining({ code: 'bad-input' })]);
  });

  test('no message of text does anything but steer or be refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\+?\d{0,12}$/)), (text) => {
        const read = attempt(() => decodeControl(text));
        expect(read instanceof AppError ? read.code : encodeControl(read)).toBe(
          read instanceof AppError ? 'bad-input' : text,
        );
      }),
    );
  });
});
