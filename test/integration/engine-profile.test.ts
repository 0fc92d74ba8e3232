import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EngineProcess, eventually, runCommand } from '../fixtures/engine-process.ts';

async function startEngine(): Promise<EngineProcess> {
  const engine = await EngineProcess.start({ address: '127.0.0.2' });
  onTestFinished(async () => await engine[Symbol.asyncDispose]());
  return engine;
}

const serve = (profile: string) => runCommand(profile, ['--json', 'serve', '--port', '0', '--no-open']);

test('a profile has one engine; the second is told so and the first is not disturbed', async () => {
  const first = await startEngine();
  const second = await serve(first.profile);
  expect(second.code).toBe(1);
  expect(JSON.parse(second.stdout)).toMatchObject({ error: { code: 'profile-in-use' } });
  expect(await first.command(['status'])).toMatchObject({ pid: first.pid, account: null });
});

test('the engine file is for its owner alone, tells where the engine is, and goes with it', async () => {
  const engine = await startEngine();
  const file = join(engine.profile, 'engine.json');
  const written: unknown = JSON.parse(await readFile(file, 'utf8'));
  expect(written).toEqual({
    pid: engine.pid,
    startedAt: expect.any(Number),
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    token: expect.stringMatching(/^[\w-]{43}$/),
  });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const startedMs = performance.now();
  expect(await engine.stop()).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
  expect((await runCommand(engine.profile, ['status'])).code).toBe(3);
});

test('after a kill the next engine takes the profile over and no child is left', async () => {
  const engine = await startEngine();
  const children = await eventually('the children run', async () => {
    const pids = [...(await engine.children('swarm')), ...(await engine.children('media'))];
    return pids.length > 0 ? pids : undefined;
  });
  await engine.killHard();
  expect((await runCommand(engine.profile, ['status'])).code).toBe(3);
  await using next = await EngineProcess.start({ profile: engine.profile, address: '127.0.0.2' });
  expect(await next.command(['status'])).toMatchObject({ pid: next.pid });
  for (const pid of children) {
    await eventually('an orphan ends', () => Promise.resolve(isAlive(pid) ? undefined : true));
  }
});

test('limits are kept over a restart', async () => {
  const engine = await startEngine();
  expect(await engine.command(['limit', '--up', '111000', '--down', '222000'])).toEqual({ up: 111_000, down: 222_000 });
  await engine.stop();
  await using next = await EngineProcess.start({ profile: engine.profile });
  expect(await next.command(['limit'])).toEqual({ up: 111_000, down: 222_000 });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // No such process: that is the answer.
    return false;
  }
}
