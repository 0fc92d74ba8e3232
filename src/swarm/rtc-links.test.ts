import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { FakeRtc } from '../../test/fixtures/fake-rtc.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { RtcSignal } from '../contract/swarm.ts';
import type { Route, RoutedStream } from '../torrent/route.ts';
import { PendingStreams } from './pending-streams.ts';
import { RtcLinks } from './rtc-links.ts';

const [anna, ben] = [parseDeviceKey('1'.repeat(64)), parseDeviceKey('f'.repeat(64))];
const [family, choir] = [parseSphereId('5'.repeat(64)), parseSphereId('6'.repeat(64))];
const never = new AbortController().signal;

function two() {
  const clock = new VirtualClock();
  const native = new FakeRtc();
  const state = { isHeard: true, doubted: new Set<Route>() };
  const sent: { sphereId: string; signal: RtcSignal }[] = [];
  const arrived: RoutedStream[] = [];
  const end = (self: typeof anna, other: () => RtcLinks): RtcLinks => {
    const pending = new PendingStreams({
      clock,
      admit: (routed) => {
        arrived.push(routed);
        return Promise.resolve();
      },
    });
    const links = new RtcLinks({
      clock,
      random: systemRandom,
      log: silentLogger,
      self,
      pending,
      signal: (sphereId, _device, signal) => {
        sent.push({ sphereId, signal });
        setImmediate(() => {
          if (state.isHeard) other().receive(sphereId, self, signal);
        });
      },
      isDoubted: (route) => state.doubted.has(route),
      onChange: () => undefined,
    });
    links.use(native);
    onTestFinished(() => links[Symbol.dispose]());
    return links;
  };
  const ends: { near: RtcLinks; far: RtcLinks } = { near: end(anna, () => ends.far), far: end(ben, () => ends.near) };
  return { ...ends, native, clock, state, sent, arrived };
}

const RELAYED = {
  local: { address: '11.22.33.10', port: 50_000, type: 'relay' },
  remote: { address: '11.22.33.9', port: 50_001, type: 'srflx' },
};
const toBen = { sphereId: family, device: ben, isForBetter: false };

test('streams to one device share a connection, and say which device is at the other end', async () => {
  const { near, sent, arrived } = two();
  const [first, second] = await Promise.all([near.open(toBen, never), near.open(toBen, never)]);
  expect([first.device, second.device]).toEqual([ben, ben]);
  expect(first.route.path).toBe('webrtc');
  expect(first.route.address).not.toBe('');
  expect(sent.filter(({ signal }) => signal.kind === 'offer')).toHaveLength(1);
  await turn();
  expect(arrived.map(({ device }) => device)).toEqual([anna, anna]);
});

test('signals go by the sphere that the other side used last', async () => {
  const { near, sent } = two();
  await near.open({ ...toBen, sphereId: choir }, never);
  expect(new Set(sent.map(({ sphereId }) => sphereId))).toEqual(new Set([choir]));
});

test('a connection in doubt is made anew at once, however young it is, and the new one serves', async () => {
  const { near, sent, state } = two();
  const old = await near.open(toBen, never);
  await near.open(toBen, never);
  const offers = (): number => sent.filter(({ signal }) => signal.kind === 'offer').length;
  expect(offers()).toBe(1);
  state.doubted.add(old.route);
  const gone = once(old.stream, 'close');
  const { route } = await near.open(toBen, never);
  await gone;
  await near.open(toBen, never);
  expect([offers(), route === old.route]).toEqual([2, false]);
});

test('an attempt that the change of the network has made pointless ends at once', async () => {
  const { near, state } = two();
  state.isHeard = false;
  const waiting = near.open(toBen, never);
  await turn();
  near.restart();
  await expect(waiting).rejects.toMatchObject({ code: 'disconnected' });
  state.isHeard = true;
  expect((await near.open(toBen, never)).device).toBe(ben);
});

test('an attempt begun before the relays were known is begun again, credentials that are renewed disturb nothing', async () => {
  const { near, state } = two();
  const servers = [{ urls: ['turn:11.22.33.10'], username: 'a', password: 'b' }];
  state.isHeard = false;
  const waiting = near.open(toBen, never);
  await turn();
  expect(near.setIceServers(servers)).toBe(true);
  await expect(waiting).rejects.toMatchObject({ code: 'disconnected' });
  state.isHeard = true;
  const { stream } = await near.open(toBen, never);
  expect(near.setIceServers(structuredClone(servers))).toBe(false);
  near.setIceServers([{ ...(servers[0] ?? { urls: [] }), username: 'c', password: 'd' }]);
  expect(stream.destroyed).toBe(false);
});

test('an attempt that a device could not hear is begun again when it comes, one that it answers goes on', async () => {
  const { near, sent, state, clock } = two();
  const offers = (): string[] => sent.filter(({ signal }) => signal.kind === 'offer').map(({ sphereId }) => sphereId);
  state.isHeard = false;
  const opening = near.open(toBen, never);
  await turn();
  // Said by a session of before: it hears of this one no more for that.
  near.receive(family, ben, { session: 'a'.repeat(32), kind: 'end', text: '', mid: '' });
  state.isHeard = true;
  // An answer may be on its way; the device says its addresses in each sphere.
  for (const sphereId of [family, choir, choir]) near.renew(sphereId, ben);
  expect(offers()).toEqual([family]);
  await clock.advance(750);
  expect((await opening).device).toBe(ben);
  near.renew(family, ben);
  await clock.advance(750);
  expect(offers()).toEqual([family, choir]);
});

test('who is no member any more is disconnected', async () => {
  const { near } = two();
  const { stream } = await near.open(toBen, never);
  const gone = once(stream, 'close');
  near.prune((device) => device !== ben);
  await gone;
  expect(stream.destroyed).toBe(true);
});

test('without the library there is no WebRTC, and signals are ignored', async () => {
  const { near, sent } = two();
  near[Symbol.dispose]();
  expect(near.isReady).toBe(false);
  near.receive(family, ben, { session: 'a'.repeat(32), kind: 'offer', text: '', mid: '' });
  await expect(near.open(toBen, never)).rejects.toMatchObject({ code: 'not-found' });
  expect(sent).toEqual([]);
});

test('only servers of use are counted', () => {
  const { near } = two();
  const names = { username: 'a', password: 'b' };
  near.setIceServers([
    { urls: ['stun:11.22.33.10'], username: '', password: '' },
    { urls: ['turn:11.22.33.10?transport=udp', 'turns:11.22.33.10'], ...names },
  ]);
  expect(near.servers).toEqual({ stun: 1, turn: 1 });
});

test('beside a relay a direct way is tried, which serves from its first stream on, and the relay ends when it is idle', async () => {
  const { near, far, native, clock, sent } = two();
  const direct = native.pair;
  native.pair = RELAYED;
  const relayed = await near.open(toBen, never);
  expect(relayed.route.path).toBe('turn');
  native.pair = direct;
  const better = await near.open({ ...toBen, isForBetter: true }, never);
  expect([better.route.path, relayed.route.path, relayed.stream.destroyed]).toEqual(['webrtc', 'turn', false]);
  const offers = sent.filter(({ signal }) => signal.kind === 'offer').map(({ signal }) => signal.mid);
  expect(offers).toEqual(['', 'beside']);
  await turn();
  // Both ends use it for what is opened from now on.
  expect((await near.open(toBen, never)).route).toBe(better.route);
  expect((await far.open({ sphereId: family, device: anna, isForBetter: false }, never)).route.path).toBe('webrtc');
  expect(native.connections.map(({ isClosed }) => isClosed)).toEqual([false, false, false, false]);
  relayed.stream.destroy();
  await once(relayed.stream, 'close');
  await clock.advance(70_000);
  expect(native.connections.map(({ isClosed }) => isClosed)).toEqual([true, true, false, false]);
  expect(better.stream.destroyed).toBe(false);
});

test('a direct way that is looked for in vain disturbs nothing, and nothing is looked for beside a direct one', async () => {
  const { near, native, state, sent } = two();
  const direct = native.pair;
  native.pair = RELAYED;
  const relayed = await near.open(toBen, never);
  state.isHeard = false;
  const trying = near.open({ ...toBen, isForBetter: true }, never);
  await turn();
  // The network changes.
  near.restart();
  await expect(trying).rejects.toMatchObject({ code: 'disconnected' });
  state.isHeard = true;
  expect((await near.open(toBen, never)).route).toBe(relayed.route);
  native.pair = direct;
  const better = await near.open({ ...toBen, isForBetter: true }, never);
  expect((await near.open({ ...toBen, isForBetter: true }, never)).route).toBe(better.route);
  expect(sent.filter(({ signal }) => signal.mid === 'beside')).toHaveLength(2);
});

test('a way beside the relay that is relayed too is not used', async () => {
  const { near, native } = two();
  native.pair = RELAYED;
  const relayed = await near.open(toBen, never);
  await expect(near.open({ ...toBen, isForBetter: true }, never)).rejects.toMatchObject({ code: 'timed-out' });
  expect((await near.open(toBen, never)).route).toBe(relayed.route);
});

test('a device that offers sessions beside the connection without end has few of them made', async () => {
  const { near, native } = two();
  native.pair = RELAYED;
  const { route } = await near.open(toBen, never);
  const before = native.connections.length;
  for (let number = 0; number < 50; number += 1) {
    const session = number.toString(16).padStart(32, '0');
    near.receive(family, ben, { session, kind: 'offer', text: 'v=0', mid: 'beside' });
    near.restart();
    await turn();
  }
  expect(native.connections.length - before).toBeLessThanOrEqual(4);
  expect((await near.open(toBen, never)).route).toBe(route);
});
