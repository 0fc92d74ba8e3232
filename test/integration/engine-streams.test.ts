import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, runCommand } from '../fixtures/engine-process.ts';
import { SPHERECAST } from '../fixtures/programs.ts';

test('an engine goes on when nobody reads its log any more', async () => {
  const profile = await mkdtemp(join(tmpdir(), 'spherecast-streams-'));
  const args = [SPHERECAST, '--profile', profile, '--json', '--verbose', 'serve', '--no-open', '--port', '0'];
  const engine = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    await once(engine.stdout, 'data');
    engine.stdout.destroy();
    engine.stderr.destroy();
    const ended = async (): Promise<string[]> => {
      const log = await readFile(join(profile, 'logs', 'engine.log'), 'utf8');
      return log.split('\n').filter((line) => line.includes('"signal":"SIGKILL"'));
    };
    const children = async (): Promise<number[]> =>
      (await readFile(`/proc/${engine.pid}/task/${engine.pid}/children`, 'utf8'))
        .split(' ')
        .filter(Boolean)
        .map(Number);
    const [swarm = 0] = await eventually('the swarm process', async () => {
      const pids = await children();
      return pids.length > 0 ? pids : undefined;
    });
    // Something to complain about.
    process.kill(swarm, 'SIGKILL');
    await eventually('the complaint', async () => ((await ended()).length > 0 ? true : undefined));
    await eventually('the next swarm process', async () =>
      (await children()).some((pid) => pid !== swarm) ? true : undefined,
    );
    expect((await runCommand(profile, ['--json', 'status'])).code).toBe(0);
    engine.kill('SIGTERM');
    expect(await once(engine, 'exit')).toEqual([0, null]);
  } finally {
    engine.kill('SIGKILL');
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  }
});
