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

test('the more was written since something came in, the later an answer may come, by three minutes at most', async () => {
  const { line, writer } = slowLine();
  const write = (text: string) => void writer.write(text).catch(() => undefined);
  expect(writer.lateMs).toBe(0);
  write(LONG);
  write(LONG);
  expect(writer.lateMs).toBe(40_000);
  line.bytesRead += 1;
  write('<r/>');
  expect(writer.lateMs).toBeLessThan(1);
  for (let count = 0; count < 20; count += 1) write(LONG);
  expect(writer.lateMs).toBe(180_000);
  line.destroy();
});
