import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eventually, runCommand } from '../fixtures/engine-process.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'demo-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the demo shows two people with a shared film, and Ctrl-C leaves nothing behind', async () => {
  const program = path.join(import.meta.dirname, '..', '..', 'tools', 'demo.ts');
  const demo = spawn(process.execPath, [program, '--no-open'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder },
  });
  const ended = once(demo, 'exit');
  let output = '';
  demo.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  try {
    const urls = await eventually('two addresses', async () => {
      if (demo.exitCode !== null) throw new Error(`the demo ended with ${demo.exitCode}`);
      const lines = output.split('\n').filter((line) => line.startsWith('http://127.0.0.1:'));
      return lines.length === 2 ? lines : undefined;
    });
    for (const url of urls) expect((await fetch(url, { redirect: 'manual' })).status).toBe(302);

    const names = await Promise.all(profiles().map((profile) => itemNames(profile)));
    expect(names).toEqual([['Lake at dawn.mp4'], ['Lake at dawn.mp4']]);
  } finally {
    demo.kill('SIGINT');
  }
  expect(await ended).toEqual([0, null]);
  expect(readdirSync(folder)).toEqual([]);
  expect(processesThatKnow(folder)).toEqual([]);
});

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
