import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tryLock, withLock } from './lock.mjs';

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-lock-'));
  file = path.join(folder, 'busy');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the lock', () => {
  test('two at once do their work one after the other', async () => {
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push(`${name} ends`);
    };
    await Promise.all([withLock(file, 'work', work('a')), withLock(file, 'work', work('b'))]);
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
    expect(existsSync(file)).toBe(false);
  });

  test('a lock of a process that is gone is taken over', () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(file, String(pid));
    expect(tryLock(file)).toBe(false);
    expect(tryLock(file)).toBe(true);
  });

  test('a lock of a living process is respected', () => {
    writeFileSync(file, String(process.ppid));
    expect(tryLock(file)).toBe(false);
    expect(tryLock(file)).toBe(false);
  });

  test('the lock is freed when the work fails', async () => {
    await expect(withLock(file, 'work', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(existsSync(file)).toBe(false);
  });
});
