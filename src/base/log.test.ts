import { expect, test } from 'vitest';
import { AppError } from './errors.ts';
import type { LogEntry } from './log.ts';
import { createLogger } from './log.ts';

const clock = { now: () => 7, monotonic: () => 7, sleep: () => Promise.resolve() };

test('an error is written with its code and its causes, so that a report tells what happened', () => {
  const entries: LogEntry[] = [];
  const log = createLogger({ clock, sink: (entry) => entries.push(entry) }).child('nat');
  log.warn('no mapping', { error: new AppError('timed-out', 'no answer', {}, new Error('late')) });
  expect(entries).toMatchObject([{ atMs: 7, level: 'warn', module: 'nat', text: 'no mapping' }]);
  expect(entries[0]?.fields['error']).toMatchObject({
    code: 'timed-out',
    message: 'no answer',
    cause: { message: 'late' },
  });
});

test('file names in the messages of system errors never reach the log', () => {
  const entries: LogEntry[] = [];
  const log = createLogger({ clock, sink: (entry) => entries.push(entry) });
  const system = Object.assign(new Error("ENOENT: no such file, open '/home/ana/secret.mp4'"), {
    code: 'ENOENT',
    syscall: 'open',
  });
  log.error('share failed', { error: new AppError('file-missing', 'cannot be read', {}, system) });
  expect(JSON.stringify(entries)).not.toContain('secret');
  expect(entries[0]?.fields['error']).toMatchObject({ cause: { code: 'ENOENT', syscall: 'open' } });
});

test('what a parser could not read never reaches the log', () => {
  const entries: LogEntry[] = [];
  const log = createLogger({ clock, sink: (entry) => entries.push(entry) });
  for (const text of ['geheim', '{"a": geheim', 'geheim\ngeheim']) {
    try {
      JSON.parse(text);
    } catch (error) {
      log.warn('not readable', { error: new AppError('bad-input', 'no JSON', {}, error) });
    }
  }
  expect(entries).toHaveLength(3);
  expect(JSON.stringify(entries)).not.toContain('geheim');
  expect(entries[0]?.fields['error']).toMatchObject({ cause: { name: 'SyntaxError' } });
});

test('a message of several lines is not repeated among the places in the code', () => {
  const entries: LogEntry[] = [];
  const log = createLogger({ clock, sink: (entry) => entries.push(entry) });
  log.warn('failed', { error: new Error('first\nsecond\nthird') });
  expect(entries[0]?.fields['error']).toMatchObject({ message: 'first\nsecond\nthird' });
  expect(entries[0]?.fields).toMatchObject({
    error: { stack: Array.from({ length: 4 }, () => expect.stringMatching(/^at /)) },
  });
});
