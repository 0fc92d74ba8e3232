import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppError } from '../base/errors.ts';
import { createLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { createLogFile } from './log-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a log line is JSON and holds nothing that people wrote, shared or protect', () => {
  const log = createLogger({ clock: systemClock, sink: createLogFile(folder), module: 'engine' });
  const cause = Object.assign(new Error("ENOENT: no such file, open '/home/ana/canary.mp4'"), {
    path: '/home/ana/canary.mp4',
  });
  log.warn('share failed', {
    bytes: 12,
    itemId: 'ab'.repeat(32),
    fileName: 'canary.mp4',
    text: 'canary',
    password: 'canary',
    mediaKey: new Uint8Array([1, 2, 3]),
    nested: { token: 'canary', list: ['http://127.0.0.1:1/?token=canary'] },
    error: new AppError('file-missing', 'gone', { name: 'canary.mp4' }, cause),
  });
  const line = readFileSync(path.join(folder, 'engine.log'), 'utf8');
  expect(line).not.toContain('canary');
  expect(JSON.parse(line)).toMatchObject({
    level: 'warn',
    module: 'engine',
    text: 'share failed',
    fields: { bytes: 12, itemId: 'ab'.repeat(32), error: { name: 'AppError', message: 'gone', code: 'file-missing' } },
  });
  expect(statSync(path.join(folder, 'engine.log')).mode & 0o777).toBe(0o600);
});

test('logs are rotated and the oldest are forgotten', () => {
  const log = createLogger({ clock: systemClock, sink: createLogFile(folder) });
  const padding = 'x'.repeat(200_000);
  for (let number = 0; number < 80; number += 1) log.info('line', { number, padding });
  expect(readdirSync(folder).toSorted()).toEqual([
    'engine.log',
    'engine.log.1',
    'engine.log.2',
    'engine.log.3',
    'engine.log.4',
  ]);
  for (const name of readdirSync(folder)) {
    expect(statSync(path.join(folder, name)).size).toBeLessThanOrEqual(2 * 1024 * 1024);
  }
  expect(readFileSync(path.join(folder, 'engine.log'), 'utf8')).toContain('"number":79');
});

test('a log that cannot be written ends nothing, and goes on when it can', () => {
  const log = createLogger({ clock: systemClock, sink: createLogFile(folder) });
  log.info('before');
  rmSync(folder, { recursive: true });
  expect(() => log.info('lost')).not.toThrow();
  mkdirSync(folder);
  log.info('after');
  expect(readFileSync(path.join(folder, 'engine.log'), 'utf8')).toContain('after');
});
