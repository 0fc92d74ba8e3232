import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { eventually, runCommand } from '../fixtures/engine-process.ts';

/** Everything of two people is started, on a machine that may be busy. */
const PATIENCE_MS = 90_000;
const missing = missingPrograms('prosody', 'openssl', 'ffmpeg');
const folder = mkdtempSync(path.join(tmpdir(), 'demo-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(missing !== undefined)('the demo shows two people with a shared film, and Ctrl-C ends it', async () => {
  await using demo = startDemo();
  const urls = await eventually(
    'two addresses',
    async () => {
      if (demo.process.exitCode !== null) throw new Error(`the demo ended with ${demo.process.exitCode}`);
      const lines = demo.lines().filter((line) => line.startsWith('http://127.0.0.1:'));
      return lines.length === 2 ? lines : undefined;
    },
    PATIENCE_MS,
  );
  for (const url of urls) expect((await fetch(url, { redirect: 'manual' })).status).toBe(302);

  const names = await Promise.all(profiles().map((profile) => itemNames(profile)));
  expect(names).toEqual([['Lake at dawn.mp4'], ['Lake at dawn.mp4']]);

  demo.process.kill('SIGINT');
  expect(await demo.ended).toEqual([0, null]);
  expect([readdirSync(folder), processesThatKnow(folder)]).toEqual([[], []]);
});

test.skipIf(missing !== undefined)(
  'ended while it is being set up, the demo leaves nothing behind either',
  async () => {
    await using demo = startDemo();
    await eventually('the first engine', async () => (profiles().length > 0 ? true : undefined), PATIENCE_MS);
    demo.process.kill('SIGTERM');
    expect(await demo.ended).toEqual([0, null]);
    expect([readdirSync(folder), processesThatKnow(folder)]).toEqual([[], []]);
  },
);

test('an option that the demo does not have is named, and nothing is started', async () => {
  await using demo = startDemo('--no-opne');
  expect(await demo.ended).toEqual([2, null]);
  expect(readdirSync(folder)).toEqual([]);
});

function startDemo(option = '--no-open') {
  const program = path.join(import.meta.dirname, '..', '..', 'tools', 'demo.ts');
  const child = spawn(process.execPath, [program, option], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder },
  });
  const ended = once(child, 'exit');
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    process: child,
    ended,
    lines: () => output.split('\n'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT');
      await ended;
    },
  };
}

function profiles(): string[] {
  const home = readdirSync(folder).find((name) => name.startsWith('spherecast-demo-')) ?? '';
  const all = ['anna', 'ben'].map((name) => path.join(folder, home, name));
  return all.filter((profile) => existsSync(path.join(profile, 'engine.json')));
}

async function itemNames(profile: string): Promise<string[]> {
  const { stdout } = await runCommand(profile, ['--json', 'items', 'Summer']);
  const { items } = JSON.parse(stdout) as { items: { name: string }[] };
  return items.map(({ name }) => name);
}

/** Ids of processes whose environment or command line names the folder, this one not counted. */
function processesThatKnow(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      return ['environ', 'cmdline'].some((name) => readFileSync(`/proc/${pid}/${name}`, 'latin1').includes(text));
    } catch {
      // It ended while we looked.
      return false;
    }
  });
}
