import { afterEach, expect, test } from 'vitest';
import { fakeItem, SPHERE_ID } from '../../test/fixtures/fake-services.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseItemId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { AppEvent, ItemView, SequencedEvent } from '../contract/views.ts';
import { EventLog } from './event-log.ts';

const scopes: Scope[] = [];
afterEach(async () => {
  for (const scope of scopes.splice(0)) await scope[Symbol.asyncDispose]();
});

function setUp(capacity?: number) {
  const clock = new VirtualClock();
  const scope = new Scope({ log: silentLogger });
  scopes.push(scope);
  const log = new EventLog({ clock, scope, ...(capacity === undefined ? {} : { capacity }) });
  const start = log.seq;
  const received: AppEvent[] = [];
  scope.spawn('reader', async (signal) => {
    for await (const { event } of log.since(start, signal)) received.push(event);
  });
  return { clock, log, received, start };
}

const item = (bytesHave: number, id = '17'): AppEvent => ({
  kind: 'item',
  item: { ...fakeItem('film.mp4', parseItemId(id.repeat(32))), bytesHave },
});
const notice = (code: string): AppEvent => ({ kind: 'notice', code, params: {} });

test('an item that changes a hundred times a second is told four times a second, and its last state is', async () => {
  const { clock, log, received } = setUp();
  for (let number = 1; number <= 200; number += 1) {
    log.append(item(number));
    await clock.advance(10);
  }
  await clock.advance(300);
  expect(received.length).toBeLessThanOrEqual(9);
  expect(received.length).toBeGreaterThanOrEqual(7);
  expect(received.at(-1)).toEqual(item(200));
});

test('items do not slow each other down, and other events are told at once', async () => {
  const { clock, log, received } = setUp();
  log.append(item(1, '17'));
  log.append(item(1, '18'));
  log.append(item(2, '17'));
  log.append(notice('first'));
  log.append(notice('second'));
  await clock.advance(0);
  expect(received).toEqual([item(1, '17'), item(1, '18'), notice('first'), notice('second')]);
  await clock.advance(250);
  expect(received.at(-1)).toEqual(item(2, '17'));
});

test('a held back item does not come back after its sphere was removed', async () => {
  const { clock, log, received } = setUp();
  log.append(item(1));
  log.append(item(2));
  log.append({ kind: 'sphere-removed', sphereId: SPHERE_ID });
  await clock.advance(1000);
  expect(received.map(({ kind }) => kind)).toEqual(['item', 'sphere-removed']);
});

test('numbers have no gaps and a reader may begin anywhere in what is kept', async () => {
  const { clock, log, start } = setUp(10);
  for (let number = 0; number < 25; number += 1) log.append(notice(String(number)));
  expect(log.seq).toBe(start + 25);
  const reader = log.since(start + 15, new AbortController().signal);
  const read: SequencedEvent[] = [];
  for (let number = 0; number < 10; number += 1) {
    const { value } = await reader.next();
    if (value !== undefined) read.push(value);
  }
  expect(read.map(({ seq }) => seq - start)).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
  await clock.advance(0);
});

test('a reader that was away too long, or was with another launch, is told to take a snapshot', async () => {
  const { log, start } = setUp(10);
  for (let number = 0; number < 25; number += 1) log.append(notice(String(number)));
  const { signal } = new AbortController();
  for (const since of [start + 14, start - 1000, 0, start + 26]) {
    await expect(log.since(since, signal).next()).rejects.toMatchObject({ code: 'conflict' });
  }
});

test('a reader ends when it is told to', async () => {
  const { log } = setUp();
  const stop = new AbortController();
  const next = log.since(log.seq, stop.signal).next();
  stop.abort();
  expect(await next).toEqual({ value: undefined, done: true });
});

const album = (files: ItemView['files'], bytesHave: number): Extract<AppEvent, { kind: 'item' }> => ({
  kind: 'item',
  item: { ...fakeItem('album', parseItemId('17'.repeat(32))), files, bytesHave },
});

function manyFiles(): ItemView['files'] {
  const [file] = fakeItem('picture.jpg').files;
  if (file === undefined) throw new Error('an item without files');
  return Array.from({ length: 5_000 }, (_, index) => ({ ...file, index }));
}

test('a long list of files is told when it changes, not with every step of its item', async () => {
  const { clock, log, received } = setUp();
  const [first, second] = [manyFiles(), manyFiles()];
  for (const event of [album(first, 1), album(first, 2), album(second, 3), album(second, 4)]) {
    log.append(event);
    await clock.advance(300);
  }
  const told = received.map((event) => [event.kind, event.kind === 'item' ? event.item.files.length : 0]);
  expect(told).toEqual([
    ['item', 5_000],
    ['item-progress', 0],
    ['item', 5_000],
    ['item-progress', 0],
  ]);
});

test('of a long list that was told again and again the last one is kept, for whoever comes back', async () => {
  const { clock, log, start } = setUp();
  for (let step = 1; step <= 20; step += 1) {
    log.append(album(manyFiles(), step));
    await clock.advance(300);
  }
  const read: AppEvent[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    for await (const { seq, event } of log.since(start, stop.signal)) {
      read.push(event);
      if (seq === log.seq) return;
    }
  })();
  await reading;
  stop.abort();
  expect(read.map(({ kind }) => kind)).toEqual([...Array<string>(19).fill('item-progress'), 'item']);
});

test('after its sphere was removed an album is told whole again', async () => {
  const { clock, log, received } = setUp();
  const files = manyFiles();
  log.append(album(files, 1));
  await clock.advance(300);
  log.append({ kind: 'sphere-removed', sphereId: SPHERE_ID });
  log.append(album(files, 1));
  await clock.advance(300);
  expect(received.map(({ kind }) => kind)).toEqual(['item', 'sphere-removed', 'item']);
});
