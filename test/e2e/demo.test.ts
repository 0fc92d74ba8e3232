import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { eventually, runCommand } from '../fixtures/engine-process.ts';
import { SPHERECAST } from '../fixtures/programs.ts';

/** Everything of two people is started, on a machine that may be busy. */
const PATIENCE_MS = 150_000;
const root = path.resolve(import.meta.dirname, '..', '..');
const missing = missingPrograms('prosody', 'openssl', 'ffmpeg');
const folder = mkdtempSync(path.join(tmpdir(), 'demo-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(missing !== undefined)(
  'the demo opens both applications side by side, each with its own profile and the film, and Ctrl-C ends it',
  async () => {
    const runtime = mkdtempSync(path.join(tmpdir(), 'desktop-runtime-'));
    onTestFinished(() => rmSync(runtime, { recursive: true, force: true }));
    const note = path.join(runtime, 'arguments');
    writeFileSync(path.join(runtime, 'electron'), desktopRuntime(note), { mode: 0o755 });
    await using demo = startDemo({ DISPLAY: ':7', ELECTRON_OVERRIDE_DIST_PATH: runtime });
    await eventually(
      'two applications',
      async () => {
        if (demo.process.exitCode !== null) throw new Error(`the demo ended with ${demo.process.exitCode}`);
        return linesOf(note).length === 2 && profiles().length === 2 ? true : undefined;
      },
      PATIENCE_MS,
    );
    const [anna, ben] = profiles();
    expect(linesOf(note)).toEqual([anna, ben].map((profile) => `${root} --profile ${profile}`));
    // Ben's window begins where Anna's ends.
    const [left, right] = [anna, ben].map((profile) => windowOf(profile ?? ''));
    expect(right?.x).toBeGreaterThanOrEqual((left?.x ?? 0) + (left?.width ?? Infinity));
    const names = await Promise.all(profiles().map((profile) => itemNames(profile)));
    expect(names).toEqual([['Lake at dawn.mp4'], ['Lake at dawn.mp4']]);

    demo.process.kill('SIGINT');
    expect(await demo.ended).toEqual([0, null]);
    expect([readdirSync(folder), processesThatKnow(folder)]).toEqual([[], []]);
  },
);

test.skipIf(missing !== undefined)(
  'ended while it is being set up, the demo leaves nothing behind either',
  async () => {
    await using demo = startDemo({}, '--no-open');
    await eventually('the first engine', async () => (profiles().length > 0 ? true : undefined), PATIENCE_MS);
    demo.process.kill('SIGTERM');
    expect(await demo.ended).toEqual([0, null]);
    expect([readdirSync(folder), processesThatKnow(folder)]).toEqual([[], []]);
  },
);

test('an option that the demo does not have is named, and nothing is started', async () => {
  await using demo = startDemo({}, '--no-opne');
  expect(await demo.ended).toEqual([2, null]);
  expect(readdirSync(folder)).toEqual([]);
});

function startDemo(variables: Readonly<Record<string, string>>, ...options: string[]) {
  const child = spawn(process.execPath, [path.join(root, 'tools', 'demo.ts'), ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...variables, TMPDIR: folder },
  });
  const ended = once(child, 'exit');
  return {
    process: child,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT');
      await ended;
    },
  };
}

/** Notes how it was started, and runs the application without a window. */
function desktopRuntime(note: string): string {
  return `#!/bin/sh
[ "$1" = --no-sandbox ] && shift
echo "$*" >> '${note}'
exec '${process.execPath}' '${SPHERECAST}' --profile "$3" serve --no-open --port 0
`;
}

const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []);

function windowOf(profile: string): { x: number; width: number } {
  const file = path.join(profile, 'desktop', 'window.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { bounds: { x: number; width: number } }).bounds;
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
