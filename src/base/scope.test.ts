import { expect, test } from 'vitest';
import { backoffDelay } from './backoff.ts';
import { Emitter } from './emitter.ts';
import { createLogger, type LogEntry } from './log.ts';
import { SerialQueue } from './queue.ts';
import { Scope } from './scope.ts';
import { systemClock } from './system-clock.ts';

function scopeWithLog(): { readonly scope: Scope; readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  return {
    scope: new Scope({ log: createLogger({ clock: systemClock, sink: (entry) => entries.push(entry) }) }),
    entries,
  };
}

test('disposing a scope aborts its tasks and waits for the last of them', async () => {
  const { scope, entries } = scopeWithLog();
  const order: string[] = [];
  scope.spawn('wait', async (signal) => {
    await systemClock.sleep(60_000, signal).catch(() => order.push('aborted'));
    await systemClock.sleep(5);
    order.push('tidied');
  });
  scope.spawn('give up', (signal) => systemClock.sleep(60_000, signal));
  await scope[Symbol.asyncDispose]();
  order.push('disposed');
  scope.spawn('late', async () => void order.push('late'));
  expect(order).toEqual(['aborted', 'tidied', 'disposed']);
  expect(entries).toEqual([]);
});

test('a task that fails is told in the log and ends nothing else', async () => {
  const { scope, entries } = scopeWithLog();
  scope.spawn('broken', async () => {
    throw new Error('broken');
  });
  await systemClock.sleep(1);
  expect(entries).toMatchObject([{ level: 'error', fields: { task: 'broken' } }]);
  expect(scope.signal.aborted).toBe(false);
  await scope[Symbol.asyncDispose]();
});

test('a listener that throws is reported and does not keep the others from hearing', () => {
  const reported: unknown[] = [];
  const heard: string[] = [];
  const emitter = new Emitter<string>((error) => reported.push(error));
  const stop = emitter.on(() => {
    emitter.on((value) => heard.push(`late ${value}`));
    throw new Error('broken');
  });
  emitter.on((value) => heard.push(value));
  emitter.emit('one');
  stop();
  emitter.emit('two');
  expect(reported).toHaveLength(1);
  expect(heard).toEqual(['one', 'two', 'late two']);
  expect(emitter.listenerCount).toBe(2);
});

test('jobs of a queue run one after the other, also after one that failed', async () => {
  const queue = new SerialQueue();
  const order: string[] = [];
  const job = (name: string, ms: number) => async (): Promise<string> => {
    await systemClock.sleep(ms);
    order.push(name);
    if (name === 'broken') throw new Error('broken');
    return name;
  };
  const results = await Promise.allSettled([
    queue.run(job('slow', 20)),
    queue.run(job('broken', 1)),
    queue.run(job('quick', 0)),
  ]);
  expect(order).toEqual(['slow', 'broken', 'quick']);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('retries are spread between half of a doubling delay and all of it, up to the longest', () => {
  const limits = { baseMs: 1000, maxMs: 60_000 };
  const least = [0, 1, 2, 10, 5000].map((attempt) => backoffDelay(attempt, limits, () => 0));
  const most = [0, 1, 2, 10, 5000].map((attempt) => backoffDelay(attempt, limits, () => 1));
  expect(least).toEqual([500, 1000, 2000, 30_000, 30_000]);
  expect(most).toEqual([1000, 2000, 4000, 60_000, 60_000]);
});
