import { expect, test } from 'vitest';
import { FakeSwarm } from '../../test/fixtures/fake-swarm.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import type { Segment } from '../contract/swarm.ts';
import { systemClock } from '../base/system-clock.ts';
import type { FedTorrent } from './fed-torrent.ts';
import type { SwarmCalls } from './swarm-feed.ts';
import { SwarmFeed } from './swarm-feed.ts';

const identity = {
  deviceKey: parseDeviceKey('ab'.repeat(32)),
  devicePrivateKey: new Uint8Array(48),
  dataPort: 0,
  addresses: [],
  mapPorts: false,
  discoverLan: true,
  tracker: true,
  extraPorts: [],
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
  const feed = new SwarmFeed({ clock: systemClock, log: silentLogger });
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
  const feed = new SwarmFeed({ clock: systemClock, log: silentLogger });
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
  const feed = new SwarmFeed({ clock: systemClock, log: silentLogger });
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

/** A feed with a process attached; `died` tells how attending to it ended. */
function attachedFeed(feed = new SwarmFeed({ clock: systemClock, log: silentLogger })) {
  const swarm = new FakeSwarm();
  const died = feed.attach(swarm.calls, new AbortController().signal).then(
    () => 'over',
    (error: unknown) => errorCode(error),
  );
  return { feed, swarm, died };
}

const torrent: FedTorrent = {
  sphereId,
  infoHash: parseInfoHash('12'.repeat(20)),
  metainfo: Uint8Array.of(1),
  mediaKey: null,
  segments: [{ kind: 'file', offset: 0, length: 100, path: '/film', root: '/', identity: null }],
  bitfield: null,
  paused: false,
  background: true,
};
const ben = parseDeviceKey('be'.repeat(32));
const relay = { urls: ['turn:10.0.0.9:3478'], username: 'ana', password: 'pw' };
const eve = parseDeviceKey('ee'.repeat(32));

test('a restarted process is fed what the dead one was told and what it had verified', async () => {
  const { feed, swarm, died } = attachedFeed();
  await feed.setIdentity(identity);
  await feed.setSphere(sphereId, { epochs: [], devices: [ben] });
  await feed.setEndpoints({ sphereId, device: ben, endpoints: ['10.0.0.1:1'], trackers: [], webrtc: false });
  await feed.setIceServers([relay]);
  await feed.setDiscovery(['10.0.0.7']);
  await feed.add(torrent);
  await feed.setPaused(torrent.infoHash, true);
  const now = { size: 100, mtimeNs: '1', ctimeNs: '2', inode: '3' };
  const have = { infoHash: torrent.infoHash, bitfield: Uint8Array.of(0xf0), bytesHave: 100, identities: [now] };
  const heard = new Promise((resolve) => feed.onEvent.on(resolve));
  swarm.emit({ kind: 'have', ...have });
  await heard;
  swarm.die();
  expect(await died).toBe('swarm-unavailable');
  expect(feed.running).toBe(false);
  const { swarm: next } = attachedFeed(feed);
  await expect.poll(() => next.names()).toEqual(['start', 'setIceServers', 'setSphere', 'addAll', 'setEndpoints']);
  expect(next.told.slice(0, 2)).toMatchObject([
    { input: { discoverOn: ['10.0.0.7'] } },
    { input: { servers: [relay] } },
  ]);
  expect(next.torrents.get(torrent.infoHash)).toEqual({
    ...torrent,
    paused: true,
    bitfield: have.bitfield,
    segments: [{ ...torrent.segments[0], identity: now }],
  });
});

test('a restarted process hears that chosen files are on the disk for good, once the dead one said so', async () => {
  const { feed, swarm, died } = attachedFeed();
  await feed.setIdentity(identity);
  const wanted = [{ from: 0, to: 10 }];
  await feed.add({ ...torrent, wanted });
  const heard = new Promise((resolve) => feed.onEvent.on(resolve));
  swarm.say(torrent.infoHash, 'partial');
  await heard;
  swarm.die();
  await died;
  const { swarm: next } = attachedFeed(feed);
  await expect.poll(() => next.torrents.get(torrent.infoHash)?.synced).toEqual(wanted);
});

test('limits of a sphere and of an item are told at once, and the next process hears them too', async () => {
  const { feed, swarm, died } = attachedFeed();
  await feed.setIdentity(identity);
  await feed.setSphere(sphereId, { epochs: [], devices: [] });
  await feed.add(torrent);
  const [ofItem, ofSphere] = [
    { up: 1, down: 2 },
    { up: 3, down: 4 },
  ];
  await feed.arrange(torrent.infoHash, { limits: ofItem });
  await feed.setSphereLimits(sphereId, ofSphere);
  expect(swarm.told.slice(-2)).toMatchObject([
    { name: 'setLimits', input: { infoHash: torrent.infoHash, ...ofItem } },
    { name: 'setSphere', input: { sphereId, limits: ofSphere } },
  ]);
  swarm.die();
  await died;
  const { swarm: next } = attachedFeed(feed);
  await expect.poll(() => next.torrents.get(torrent.infoHash)?.limits).toEqual(ofItem);
  expect(next.told.find(({ name }) => name === 'setSphere')?.input).toMatchObject({ limits: ofSphere });
});

test('how strangers are found is told at once, and the next process hears it too', async () => {
  const { feed, swarm, died } = attachedFeed();
  await feed.setIdentity(identity);
  const finding = { dht: true, pex: false, dhtNodes: ['203.0.113.1:6881'] };
  await feed.setFinding(finding);
  expect(swarm.told.at(-1)).toEqual({ name: 'setFinding', input: finding });
  swarm.die();
  await died;
  const { swarm: next } = attachedFeed(feed);
  await expect.poll(() => next.told.find(({ name }) => name === 'setFinding')?.input).toEqual(finding);
});

test('telling a process that dies meanwhile is no failure: the next one hears it', async () => {
  const { feed, swarm } = attachedFeed();
  await feed.setIdentity(identity);
  swarm.answers.addAll = () => new Promise(() => undefined);
  const told = feed.add(torrent);
  await expect.poll(() => swarm.names()).toContain('addAll');
  swarm.die();
  await told;
  const { swarm: next } = attachedFeed(feed);
  await expect.poll(() => next.torrents.has(torrent.infoHash)).toBe(true);
});

test('what a living process refuses is told to whoever asked', async () => {
  const { feed, swarm } = attachedFeed();
  await feed.setIdentity(identity);
  const { infoHash } = torrent;
  swarm.answers.addAll = () => ({ refused: [{ infoHash, code: 'invalid-torrent', message: 'nonsense' }] });
  const other = { ...torrent, infoHash: parseInfoHash('34'.repeat(20)) };
  const [refused, held] = await Promise.allSettled([feed.add(torrent), feed.add(other)]);
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'invalid-torrent' } });
  expect(held.status).toBe('fulfilled');
});

test('one torrent that a new process refuses does not keep the others from it', async () => {
  const { feed, swarm } = attachedFeed();
  await feed.setIdentity(identity);
  const other = { ...torrent, infoHash: parseInfoHash('34'.repeat(20)) };
  await feed.add(torrent);
  await feed.add(other);
  swarm.die();
  const next = new FakeSwarm();
  next.answers.addAll = () => {
    next.hold([other]);
    return { refused: [{ infoHash: torrent.infoHash, code: 'file-missing', message: 'the disk is not there' }] };
  };
  feed.attach(next.calls, new AbortController().signal).catch(() => undefined);
  await expect.poll(() => [...next.torrents.keys()]).toEqual([other.infoHash]);
});

test('a process that cannot start with this account is given up, and signing in goes on', async () => {
  const { feed, swarm, died } = attachedFeed();
  swarm.answers.start = () => {
    throw new AppError('conflict', 'the port is taken');
  };
  await feed.setIdentity(identity);
  expect(await died).toBe('conflict');
});

test('addresses of a device that is no member any more are told to nobody again', async () => {
  const { feed, swarm } = attachedFeed();
  await feed.setIdentity(identity);
  await feed.setSphere(sphereId, { epochs: [], devices: [ben, eve] });
  for (const device of [ben, eve])
    await feed.setEndpoints({ sphereId, device, endpoints: [], trackers: [], webrtc: false });
  await feed.setSphere(sphereId, { epochs: [], devices: [ben] });
  swarm.die();
  const { swarm: next } = attachedFeed(feed);
  await expect.poll(() => next.names()).toContain('setEndpoints');
  const told = next.told.filter(({ name }) => name === 'setEndpoints').map(({ input }) => input['device']);
  expect(told).toEqual([ben]);
});

test('what is added while others are being added goes together, without what was removed meanwhile', async () => {
  const { feed, swarm } = attachedFeed();
  await feed.setIdentity(identity);
  const answer = Promise.withResolvers<{ refused: [] }>();
  swarm.answers.addAll = ({ torrents }) => {
    swarm.hold(torrents as FedTorrent[]);
    return answer.promise;
  };
  const specs = Array.from({ length: 700 }, (_, index) => {
    return { ...torrent, infoHash: parseInfoHash(index.toString(16).padStart(40, '0')) };
  });
  const added = Promise.all(specs.map((spec) => feed.add(spec)));
  const [, , gone] = specs;
  await feed.remove(gone?.infoHash ?? torrent.infoHash);
  answer.resolve({ refused: [] });
  await added;
  const sizes = swarm.told.filter(({ name }) => name === 'addAll').map(({ input }) => input['torrents']);
  expect(sizes.map((torrents) => (torrents as []).length)).toEqual([500, 199]);
  expect(swarm.torrents.size).toBe(699);
});

test('without a process, pausing waits for the next one', async () => {
  const feed = new SwarmFeed({ clock: systemClock, log: silentLogger });
  await feed.setIdentity(identity);
  await feed.add(torrent);
  await feed.setPaused(torrent.infoHash, true);
  await feed.setPaused(parseInfoHash('99'.repeat(20)), true);
  const { swarm } = attachedFeed(feed);
  await expect.poll(() => swarm.torrents.get(torrent.infoHash)?.paused).toBe(true);
  await feed.remove(torrent.infoHash);
  expect(swarm.torrents.size).toBe(0);
});

const noSignal = new AbortController().signal;

test('a question waits for a process that is being started and has been told everything', async () => {
  const feed = new SwarmFeed({ clock: systemClock, log: silentLogger });
  await feed.setIdentity(identity);
  const answered = feed.ask((calls) => calls.setLimits({ up: 0, down: 0 }), noSignal);
  const swarm = slowSwarm();
  const end = new AbortController();
  const attached = feed.attach(swarm.calls, end.signal);
  swarm.start();
  await answered;
  expect(swarm.called).toEqual(['setLimits']);
  end.abort(new Error('over'));
  await expect(attached).rejects.toThrow('over');
});

test('a question that a process dies over is asked of the next one', async () => {
  const clock = new VirtualClock(0);
  const { feed, swarm } = attachedFeed(new SwarmFeed({ clock, log: silentLogger }));
  await feed.setIdentity(identity);
  swarm.answers.fetchMetainfo = () => new Promise(() => undefined);
  const request = { sphereId, infoHash: torrent.infoHash, sha256: new Uint8Array(32), maxBytes: 10 };
  const answer = feed.ask((calls) => calls.fetchMetainfo(request), noSignal);
  await expect.poll(() => swarm.names()).toContain('fetchMetainfo');
  swarm.die();
  await clock.advance(20_000);
  const { swarm: next } = attachedFeed(feed);
  next.answers.fetchMetainfo = () => ({ metainfo: Uint8Array.of(7) });
  await clock.advance(1000);
  expect(await answer).toEqual({ metainfo: Uint8Array.of(7) });
});

test('a question is given up when no process comes for a minute, and at once when nobody wants the answer', async () => {
  const clock = new VirtualClock(0);
  const feed = new SwarmFeed({ clock, log: silentLogger });
  const gone = new AbortController();
  const question = (calls: SwarmCalls) => calls.heartbeat();
  const patient = errorOf(feed.ask(question, noSignal));
  const impatient = errorOf(feed.ask(question, gone.signal));
  gone.abort(new AppError('cancelled', 'the page was closed'));
  expect(await impatient).toBe('cancelled');
  await clock.advance(61_000);
  expect(await patient).toBe('swarm-unavailable');
});

test('a question that ends every process it is put to is not put to a fourth', async () => {
  const clock = new VirtualClock(0);
  const feed = new SwarmFeed({ clock, log: silentLogger });
  let asked = 0;
  const answer = errorOf(
    feed.ask(() => {
      asked += 1;
      return Promise.reject(new AppError('swarm-unavailable', 'the other process has ended'));
    }, noSignal),
  );
  attachedFeed(feed);
  await clock.advance(60_000);
  expect(await answer).toBe('swarm-unavailable');
  expect(asked).toBe(3);
});

test('what a process refuses is not asked again', async () => {
  const { feed } = attachedFeed();
  await feed.setIdentity(identity);
  const request = { sphereId, infoHash: torrent.infoHash, sha256: new Uint8Array(32), maxBytes: 10 };
  expect(await errorOf(feed.ask((calls) => calls.fetchMetainfo(request), noSignal))).toBe('not-found');
});

const errorOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 'answered',
    (error: unknown) => errorCode(error),
  );

test('a torrent of very many files is told in parts, and to the next process too', async () => {
  const feed = new SwarmFeed({ clock: systemClock, log: silentLogger });
  await feed.setIdentity(identity);
  const segments = Array.from({ length: 5000 }, (_, index): Segment => {
    return { kind: 'file', offset: index * 16, length: 1, path: `/many/${index}`, root: '/many', identity: null };
  });
  const infoHash = parseInfoHash('17'.repeat(20));
  const spec: FedTorrent = {
    ...{ sphereId, infoHash, segments, metainfo: new Uint8Array(), mediaKey: null },
    ...{ bitfield: null, paused: false, background: true },
  };
  await feed.add(spec);
  for (const swarm of [new FakeSwarm(), new FakeSwarm()]) {
    const end = new AbortController();
    const attached = feed.attach(swarm.calls, end.signal);
    await expect.poll(() => swarm.torrents.get(infoHash)?.segments).toEqual(segments);
    const told = swarm.told.filter(({ name }) => name === 'stage' || name === 'addAll');
    expect(told.map(({ name }) => name)).toEqual(['stage', 'stage', 'stage', 'addAll']);
    expect(Math.max(...told.map(({ input }) => JSON.stringify(input).length))).toBeLessThan(300_000);
    end.abort(new Error('over'));
    await expect(attached).rejects.toThrow('over');
  }
});
