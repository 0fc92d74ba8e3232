import { afterEach, expect, test } from 'vitest';
import type { EchoContract } from '../../test/fixtures/echo-process.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { ChildProcess } from './child-process.ts';
import { nodeLauncher } from './process-launcher.ts';

const ENTRY = new URL('../../test/fixtures/echo-process.ts', import.meta.url);
/** Everything waits a twentieth of the time. */
const fastClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) };

const running: ChildProcess<EchoContract>[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) await child[Symbol.asyncDispose]();
});

function start(options: { onAttend?: () => void; fail?: () => boolean } = {}): ChildProcess<EchoContract> {
  const child = new ChildProcess<EchoContract>({
    name: 'echo',
    entry: ENTRY,
    launcher: nodeLauncher,
    clock: fastClock,
    log: silentLogger,
    closedCode: 'swarm-unavailable',
    random: Math.random,
    heartbeat: (client, signal) => client.heartbeat(undefined, { signal }),
    attend: async (client) => {
      options.onAttend?.();
      if (options.fail?.() === true) throw new Error('cannot be fed');
      await client.remember({ text: 'state of the engine' });
    },
  });
  running.push(child);
  return child;
}

/** Asks until a process that was fed answers. */
async function recall(child: ChildProcess<EchoContract>): Promise<{ text: string; pid: number }> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      const answer = await child.client.recall();
      if (answer.text !== '') return answer;
    } catch (error) {
      // Between two processes there is nobody to ask.
      if (errorCode(error) !== 'swarm-unavailable') throw error;
    }
    await systemClock.sleep(50);
  }
  throw new Error('no process came up');
}

test('a process that dies is started again and fed its state', async () => {
  const child = start();
  const first = await recall(child);
  await expect(child.client.die()).rejects.toMatchObject({ code: 'swarm-unavailable' });
  const second = await recall(child);
  expect(second.text).toBe('state of the engine');
  expect(second.pid).not.toBe(first.pid);
}, 30_000);

test('a process that hangs is ended, its calls fail, and a new one takes over', async () => {
  const child = start();
  const first = await recall(child);
  await expect(child.client.hang()).rejects.toMatchObject({ code: 'swarm-unavailable' });
  expect((await recall(child)).pid).not.toBe(first.pid);
  expect(() => process.kill(first.pid, 0)).toThrow(/ESRCH/);
}, 30_000);

test('a process that could not be fed is replaced', async () => {
  let attended = 0;
  const child = start({ onAttend: () => (attended += 1), fail: () => attended < 3 });
  await recall(child);
  expect(attended).toBe(3);
}, 30_000);

test('disposing leaves no process and restarts none', async () => {
  const child = start();
  const { pid } = await recall(child);
  await child[Symbol.asyncDispose]();
  expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  expect(() => child.client).toThrow(/does not run/);
}, 30_000);
