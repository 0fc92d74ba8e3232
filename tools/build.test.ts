import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ENGINE_OPTIONS as OF_SOURCES } from '../src/engine/process-launcher.ts';
import { ENGINE_OPTIONS, sourceHash } from './build.mjs';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-build-'));
  mkdirSync(path.join(folder, 'src'));
  writeFileSync(path.join(folder, 'src', 'main.ts'), 'one');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the hash of sources changes with a content, a name and a new file', () => {
  const seen = [sourceHash(folder, ['src'])];
  writeFileSync(path.join(folder, 'src', 'main.ts'), 'two');
  seen.push(sourceHash(folder, ['src']));
  rmSync(path.join(folder, 'src', 'main.ts'));
  writeFileSync(path.join(folder, 'src', 'other.ts'), 'two');
  seen.push(sourceHash(folder, ['src']));
  writeFileSync(path.join(folder, 'src', 'new.ts'), '');
  seen.push(sourceHash(folder, ['src']));
  expect(new Set(seen).size).toBe(4);
});

test('tests beside the sources and absent sources change nothing', () => {
  const before = sourceHash(folder, ['src']);
  writeFileSync(path.join(folder, 'src', 'main.test.ts'), 'test');
  expect(sourceHash(folder, ['src', 'absent'])).toBe(before);
});

test('whoever starts the engine gives it the options that the desktop shell gives it', () => {
  expect(ENGINE_OPTIONS).toEqual(OF_SOURCES);
});
