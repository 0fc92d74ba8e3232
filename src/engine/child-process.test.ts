import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import type { EchoContract } from '../../test/fixtures/echo-process.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { ChildProcess } from './child-process.ts';
import type { LaunchedProcess } from './process-launcher.ts';
import { nodeLauncher } from './process-launcher.ts';

const ENTRY = new URL('../../test/fixtures/echo-process.ts', import.meta.url);
/** Everything waits a quarter of the time: enough for a process on a busy machine to answer in. */
const fastClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 4, signal) };

const running: ChildProcess<EchoContract>[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) await child[Symbol.asyncDispose]();
});

function start(
  options: { onAttend?: () => void; fail?: () => boolean; onBeat?: () => void; clock?: Clock } = {},
): ChildProcess<EchoContract> {
  const child = new ChildProcess<EchoContract>({
    name: 'echo',
    entry: ENTRY,
    launcher: nodeLauncher,
    clock: options.clock ?? fastClock,
    log: silentLogger,
    closedCode: 'swarm-unavailable',
    random: Math.random,
    heartbeat: (client, signal) => {
      const answer = client.heartbeat(undefined, { signal });
      options.onBeat?.();
      return answer;
    },
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
  for (let attempt = 0; attempt < 800; attempt += 1) {
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
});

test('a process that hangs is ended, its calls fail, and a new one takes over', async () => {
  const child = start();
  const first = await recall(child);
  await expect(child.client.hang()).rejects.toMatchObject({ code: 'swarm-unavailable' });
  expect((await recall(child)).pid).not.toBe(first.pid);
  expect(() => process.kill(first.pid, 0)).toThrow(/ESRCH/);
});

test('a process is not ended for an answer that came while we stood still ourselves', async () => {
  let [attended, beats] = [0, 0];
  const standStill = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  const child = start({
    onAttend: () => (attended += 1),
    onBeat: () => {
      beats += 1;
      if (beats === 2) queueMicrotask(standStill);
    },
  });
  await recall(child);
  await expect.poll(() => beats, { timeout: 20_000 }).toBeGreaterThan(2);
  expect(attended).toBe(1);
});

test('a process that could not be fed is replaced', async () => {
  let attended = 0;
  // One that is fed is not to be ended for being slow.
  const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms < 5_000 ? ms / 2 : ms, signal) };
  const child = start({ clock, onAttend: () => (attended += 1), fail: () => attended < 3 });
  await recall(child);
  expect(attended).toBe(3);
});

test('disposing leaves no process and restarts none', async () => {
  const child = start();
  const { pid } = await recall(child);
  await child[Symbol.asyncDispose]();
  expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  expect(() => child.client).toThrow(/does not run/);
});

/** A launcher of processes that never say a word; tells when each was started and killed. */
function silentProcesses(clock: Clock) {
  const lives: { startedMs: number; killedMs: number | null }[] = [];
  const launch = (): LaunchedProcess => {
    const life: (typeof lives)[number] = { startedMs: clock.monotonic(), killedMs: null };
    lives.push(life);
    let onExit: Parameters<LaunchedProcess['onExit']>[0] = () => undefined;
    return {
      channel: { post: () => undefined, onMessage: () => undefined, onClose: () => undefined },
      pid: undefined,
      onExit: (listener) => (onExit = listener),
      kill() {
        life.killedMs = clock.monotonic();
        onExit({ code: null, signal: 'SIGKILL' });
      },
    };
  };
  return { lives, launcher: { launch } };
}

test('a process that hangs before its first word is replaced after 15 s, and the next one is given longer', async () => {
  const clock = new VirtualClock(0);
  const { lives, launcher } = silentProcesses(clock);
  const child = new ChildProcess<EchoContract>({
    name: 'echo',
    entry: ENTRY,
    launcher,
    clock,
    log: silentLogger,
    closedCode: 'swarm-unavailable',
    random: () => 0,
    heartbeat: (client, signal) => client.heartbeat(undefined, { signal }),
  });
  running.push(child);
  await clock.advance(14_999);
  expect(lives).toEqual([{ startedMs: 0, killedMs: null }]);
  await clock.advance(200_000);
  const waits = lives.map(({ startedMs, killedMs }) => (killedMs ?? startedMs) - startedMs);
  expect(waits.slice(0, 4)).toEqual([15_000, 30_000, 45_000, 45_000]);
});

test.runIf(process.platform === 'linux')('a child may have the disk sync sixteen files at a time', async () => {
  const { pid } = await recall(start());
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toContain('UV_THREADPOOL_SIZE=16');
});

test('a process that is there on demand is started once, for the first who waits for it', async () => {
  let started = 0;
  const launch: typeof nodeLauncher.launch = (...given) => {
    started += 1;
    return nodeLauncher.launch(...given);
  };
  await using child = new ChildProcess<EchoContract>({
    ...{ name: 'echo', entry: ENTRY, launcher: { launch }, clock: fastClock, log: silentLogger },
    ...{ closedCode: 'swarm-unavailable', random: Math.random, isOnDemand: true },
  });
  await systemClock.sleep(20);
  expect([started, child.pid]).toEqual([0, undefined]);
  const signal = new AbortController().signal;
  const clients = await Promise.all([child.ready(signal), child.ready(signal)]);
  await clients[0].remember({ text: 'asked' });
  expect([started, (await clients[1].recall()).text]).toEqual([1, 'asked']);
});
