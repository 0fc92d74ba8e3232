import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { AppError } from '../base/errors.ts';
import { LineWriter } from './line-writer.ts';

/** A line that takes what is written when it is told to. */
class FakeLine extends Writable {
  bytesRead = 0;
  text = '';
  #take: (() => void) | null = null;

  override _write(part: Buffer, _: BufferEncoding, done: () => void): void {
    this.#take = () => {
      this.text += part.toString();
      done();
    };
  }

  take(): void {
    this.#take?.();
  }
}

function slowLine() {
  const [clock, line, stalls] = [new VirtualClock(), new FakeLine(), [] as AppError[]];
  const writer = new LineWriter({ socket: line, clock, onStalled: (error) => stalls.push(error) });
  return { clock, line, stalls, writer };
}

const LONG = 'x'.repeat(100_000);

test('a line that takes nothing for three minutes has stalled, and whoever writes is told', async () => {
  const { clock, stalls, writer } = slowLine();
  const failed = writer.write(LONG).catch((error: unknown) => error);
  await clock.advance(179_999);
  expect(stalls).toEqual([]);
  await clock.advance(1);
  expect(stalls.map(({ code }) => code)).toEqual(['disconnected']);
  expect(await failed).toMatchObject({ code: 'timed-out' });
});

test('a line that takes a part now and then is waited for, however much there is', async () => {
  const { clock, line, stalls, writer } = slowLine();
  const texts = ['one', LONG, 'three', LONG];
  const sent = Promise.all(texts.map(async (text) => await writer.write(text)));
  while (line.text.length < texts.join('').length) {
    await clock.advance(100_000);
    line.take();
  }
  await sent;
  expect(line.text).toBe(texts.join(''));
  expect(clock.monotonic() - new VirtualClock().monotonic()).toBeGreaterThan(1_000_000);
  expect(stalls).toEqual([]);
});

test('a line over which something comes in lives, whatever waits to be written', async () => {
  const { clock, line, stalls, writer } = slowLine();
  const failed = writer.write(LONG).catch((error: unknown) => error);
  for (let minute = 0; minute < 10; minute += 1) {
    line.bytesRead += 1;
    await clock.advance(60_000);
  }
  expect(stalls).toEqual([]);
  await clock.advance(360_000);
  expect(await failed).toMatchObject({ code: 'timed-out' });
});

test('short texts that wait together go out together', async () => {
  const { line, writer } = slowLine();
  const sent = Promise.all(['a', 'b', 'c', 'd'].map(async (text) => await writer.write(text)));
  line.take();
  await expect.poll(() => line.writableLength).toBe(3);
  line.take();
  await sent;
  expect(line.text).toBe('abcd');
});

test('the more is under way, the later an answer may come, by three minutes at most', async () => {
  const { clock, line, writer } = slowLine();
  const write = (text: string) => void writer.write(text).catch(() => undefined);
  expect(writer.lateMs).toBe(0);
  write(LONG);
  write(LONG);
  expect(writer.lateMs).toBe(40_000);
  // What comes in meanwhile says nothing of it.
  line.bytesRead += 1;
  write('<r/>');
  expect(Math.round(writer.lateMs)).toBe(40_001);
  await clock.advance(30_000);
  expect(Math.round(writer.lateMs)).toBe(10_001);
  for (let count = 0; count < 20; count += 1) write(LONG);
  expect(writer.lateMs).toBe(180_000);
  line.destroy();
});

test('an answer to all that was written says that the line is a good one', async () => {
  const { line, writer } = slowLine();
  const sent = writer.write(LONG);
  writer.answered();
  expect(writer.lateMs).toBe(20_000);
  while (line.text.length < LONG.length) {
    line.take();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await sent;
  writer.answered();
  expect(writer.lateMs).toBe(0);
});

test('a text counts as sent as its last part goes, for the server may have read it before the system says so', async () => {
  const { line, writer } = slowLine();
  const codes: string[] = [];
  const send = (text: string) =>
    writer.write(text).then(
      () => codes.push('sent'),
      () => codes.push('not sent'),
    );
  const all = [send('x'.repeat(16_384 + 1000)), send('y'.repeat(1000)), send('z'.repeat(16_384))];
  await new Promise((resolve) => setImmediate(resolve));
  expect(codes).toEqual([]);
  line.take();
  await expect.poll(() => codes).toEqual(['sent', 'sent']);
  line.destroy();
  line.take();
  await Promise.all(all);
  expect(codes).toEqual(['sent', 'sent', 'not sent']);
});
