import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockHolder, lockProfile } from './profile-lock.ts';

const MODULE = new URL('./profile-lock.ts', import.meta.url).href;
const SCRIPT = `
  import { lockProfile } from ${JSON.stringify(MODULE)};
  try { lockProfile(process.argv[1]); console.log('held'); setInterval(() => {}, 1000); }
  catch (error) { console.log(error.code); }`;

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-lock-'));
  file = path.join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process that tries to take the lock and keeps it; answers with its first word. */
async function contend() {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, file], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, word: said.toString().trim() };
}

async function killHard(child: ReturnType<typeof spawn>): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

test('a lock excludes others until it is released', () => {
  const lock = lockProfile(file);
  expect(lockHolder(file)).toEqual({ pid: process.pid });
  expect(() => lockProfile(file)).toThrow(expect.objectContaining({ code: 'profile-in-use' }));
  lock[Symbol.dispose]();
  expect([lockHolder(file), existsSync(file)]).toEqual([undefined, false]);
  lockProfile(file)[Symbol.dispose]();
});

test('of twenty processes at once exactly one gets a fresh lock, and after its death one gets the stale one', async () => {
  const first = await Promise.all(Array.from({ length: 20 }, contend));
  expect(first.map(({ word }) => word).toSorted()).toEqual(['held', ...Array(19).fill('profile-in-use')].toSorted());
  const holder = first.find(({ word }) => word === 'held');
  if (holder === undefined) throw new Error('nobody holds the lock');
  expect(lockHolder(file)).toEqual({ pid: holder.child.pid });
  await killHard(holder.child);
  expect(lockHolder(file)).toBeUndefined();

  const second = await Promise.all(Array.from({ length: 20 }, contend));
  const held = second.filter(({ word }) => word === 'held');
  await Promise.all(held.map(({ child }) => killHard(child)));
  expect(held).toHaveLength(1);
  expect(readdirSync(folder)).toEqual(['lock']);
}, 60_000);

test('a process number that was given to another process does not keep the profile locked', () => {
  lockProfile(file);
  const content = JSON.parse(readFileSync(file, 'utf8')) as { start: string };
  writeFileSync(file, JSON.stringify({ ...content, start: 'another boot 1' }));
  expect(lockHolder(file)).toBeUndefined();
  lockProfile(file)[Symbol.dispose]();
});

test('a lock cut off by a power failure is respected while it is young and replaced when it is old', () => {
  writeFileSync(file, '{"pid":');
  expect(() => lockProfile(file)).toThrow(expect.objectContaining({ code: 'profile-in-use' }));
  utimesSync(file, 1, 1);
  lockProfile(file)[Symbol.dispose]();
  expect(existsSync(file)).toBe(false);
});

test('an engine that died while it took over a stale lock does not block the next one', () => {
  lockProfile(file);
  const dead = { ...(JSON.parse(readFileSync(file, 'utf8')) as { nonce: string }), start: 'another boot 1' };
  writeFileSync(file, JSON.stringify(dead));
  writeFileSync(`${file}.after-${dead.nonce.slice(0, 16)}`, JSON.stringify({ ...dead, nonce: 'cd'.repeat(16) }));
  const lock = lockProfile(file);
  expect(lockHolder(file)).toEqual({ pid: process.pid });
  lock[Symbol.dispose]();
});
