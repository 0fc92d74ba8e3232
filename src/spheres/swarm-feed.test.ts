import { expect, test } from 'vitest';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import type { SwarmCalls } from './swarm-feed.ts';
import { SwarmFeed } from './swarm-feed.ts';

const identity = {
  deviceKey: parseDeviceKey('ab'.repeat(32)),
  devicePrivateKey: new Uint8Array(48),
  dataPort: 0,
  addresses: [],
  mapPorts: false,
};
const sphereId = parseSphereId('cd'.repeat(32));

/** A swarm process that answers `start` when the test says so and refuses every call before that. */
function slowSwarm() {
  const called: string[] = [];
  const start = Promise.withResolvers<{ dataPort: number; trackerPort: number }>();
  let isStarted = false;
  const answer = (name: string) => (): Promise<{ ok: true }> => {
    called.push(isStarted ? name : `${name} too early`);
    return Promise.resolve({ ok: true });
  };
  const calls = {
    start: async () => {
      const ports = await start.promise;
      isStarted = true;
      return ports;
    },
    setSphere: answer('setSphere'),
    setLimits: answer('setLimits'),
    events: async (_: undefined, { signal }: { signal: AbortSignal }) => {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  } as unknown as SwarmCalls;
  return { calls, called, start: () => start.resolve({ dataPort: 7, trackerPort: 8 }) };
}

test('what is new while a process starts is told once it has started', async () => {
  const feed = new SwarmFeed({ log: silentLogger });
  await feed.setIdentity(identity);
  const swarm = slowSwarm();
  const end = new AbortController();
  const attached = feed.attach(swarm.calls, end.signal);
  const told = Promise.all([feed.setLimits({ up: 1, down: 2 }), feed.setSphere(sphereId, { epochs: [], devices: [] })]);
  swarm.start();
  await told;
  expect(swarm.called).toContain('setLimits');
  expect(swarm.called.filter((call) => call.endsWith('too early'))).toEqual([]);
  expect(feed.running).toBe(true);
  end.abort(new Error('over'));
  await expect(attached).rejects.toThrow('over');
  expect(feed.running).toBe(false);
});

test('what is said while no process runs is kept for the next one', async () => {
  const feed = new SwarmFeed({ log: silentLogger });
  await feed.setIdentity(identity);
  await feed.setSphere(sphereId, { epochs: [], devices: [] });
  const swarm = slowSwarm();
  const end = new AbortController();
  swarm.start();
  const attached = feed.attach(swarm.calls, end.signal);
  await expect.poll(() => swarm.called).toEqual(['setSphere']);
  end.abort(new Error('over'));
  await expect(attached).rejects.toThrow('over');
});

test('whoever signs in next does not go on with what the one before shared', async () => {
  const feed = new SwarmFeed({ log: silentLogger });
  await feed.setIdentity(identity);
  await feed.setSphere(sphereId, { epochs: [], devices: [] });
  await feed.setIdentity(null);
  await feed.setIdentity({ ...identity, deviceKey: parseDeviceKey('ef'.repeat(32)) });
  const swarm = slowSwarm();
  swarm.start();
  const end = new AbortController();
  const attached = feed.attach(swarm.calls, end.signal);
  await expect.poll(() => feed.running).toBe(true);
  expect(swarm.called).not.toContain('setSphere');
  end.abort(new Error('over'));
  await expect(attached).rejects.toThrow('over');
});
