import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { Miser } from '../../test/fixtures/miser.ts';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Clock } from '../base/clock.ts';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import { ActiveTorrent } from '../torrent/active-torrent.ts';
import { encode } from '../torrent/bencode/bencode.ts';
import { buildMetainfo } from '../torrent/metainfo.ts';
import { parsePublicMetainfo } from '../torrent/public-metainfo.ts';
import { EventStream } from './event-stream.ts';
import { SwarmNode } from './swarm-node.ts';
import { PieceTags } from '../torrent/piece-tags.ts';

const sphereId = parseSphereId('5'.repeat(64));
const infoHash = parseInfoHash('1'.repeat(40));
const member = parseDeviceKey('b'.repeat(64));
const tracker = (endpoint: string): string => `http://${endpoint}/${'a'.repeat(32)}/announce`;

function start(
  addresses: readonly string[],
  clock: Clock = systemClock,
  checkNow: () => void = () => undefined,
  hasTracker = true,
): Promise<SwarmNode> {
  const never = { keep: () => new AsyncDisposableStack(), keepPinholes: () => new AsyncDisposableStack() };
  const deps = {
    clock,
    random: systemRandom,
    log: silentLogger,
    stream: new EventStream<SwarmEvent>(),
    tags: new PieceTags(systemRandom),
    portMapping: { ...never, checkNow },
    lanNetwork: { interfaces: () => [], open: () => Promise.reject(new Error('no network')) },
    loadRtc: () => Promise.reject(new Error('no WebRTC')),
  };
  const self = { device: parseDeviceKey('a'.repeat(64)), privateKey: generateKeyPairSync('ed25519').privateKey };
  const ports = { dataPort: 0, extraPorts: [], mapPorts: false, discoverOn: [], tracker: hasTracker };
  return SwarmNode.start(deps, { ...ports, self, addresses, limits: { up: 0, down: 0 } });
}

/** What is left of what a member and a tracker name. */
function named(node: SwarmNode, endpoints: readonly string[]) {
  node.host.setSphere(sphereId, [], [member]);
  const trackers = endpoints.map(tracker);
  node.setEndpoints({ sphereId, device: member, endpoints, trackers, webrtc: false });
  for (const endpoint of endpoints) node.reach.found(infoHash, endpoint, 'a tracker');
  const { dialer } = node.reach;
  return {
    told: (dialer.callees(sphereId).get(member) ?? []).map(({ endpoint }) => endpoint),
    found: Array.from(dialer.strangers(sphereId, infoHash), ({ endpoint }) => endpoint),
    trackers: node.host.spheres.trackers(sphereId),
  };
}

const OWN = ['0.0.0.0:22', '[::ffff:127.0.0.1]:22', '169.254.169.254:80', '224.0.0.1:1'];

test('a member or its tracker cannot have this process call services of its own machine', async () => {
  await using node = await start(['0.0.0.0']);
  const elsewhere = ['192.0.2.9:1'];
  const left = named(node, [...OWN, '127.0.0.1:631', '[::1]:631', ...elsewhere]);
  expect(left).toEqual({ told: elsewhere, found: elsewhere, trackers: elsewhere.map(tracker) });
});

test('on loopback alone others are called there', async () => {
  await using node = await start(['127.0.0.1']);
  const others = ['127.0.0.2:1'];
  expect(named(node, [...OWN, ...others])).toEqual({ told: others, found: others, trackers: others.map(tracker) });
});

test('without a tracker none is told to members, theirs are told nothing, and their endpoints are called all the same', async () => {
  await using node = await start(['127.0.0.1'], systemClock, () => undefined, false);
  const others = ['127.0.0.2:1'];
  expect(named(node, others)).toEqual({ told: others, found: others, trackers: [] });
  expect([node.ports.trackerPort, node.reach.network.ports.map(({ purpose }) => purpose)]).toEqual([0, ['data']]);
});

/** A device that fetches an item, and connections to it that a test breaks. */
async function startFetching(item: SharedItem) {
  const state = { routerChecks: 0 };
  const clock = new VirtualClock();
  const node = await start(['127.0.0.1'], clock, () => void (state.routerChecks += 1));
  node.host.setSphere(sphereId, [], [member]);
  const metainfo = buildMetainfo(item.shape);
  const whole = { bitfield: null, paused: false, background: true, segments: item.receiverSegments() };
  await node.host.add({ ...metainfo, sphereId, mediaKey: item.mediaKey, ...whole });
  const torrent = node.host.get(metainfo.infoHash);
  if (!(torrent instanceof ActiveTorrent)) throw new Error('the torrent is not in use');
  const connect = async (): Promise<Miser> => {
    const miser = new Miser(item);
    const [ours, theirs] = duplexPair();
    const before = torrent.state.seeds;
    torrent.connect(ours, { device: member, route: { path: 'tcp', address: '192.0.2.9:1' }, weDialled: true });
    miser.connect(theirs);
    await expect.poll(() => torrent.state.seeds, { timeout: 20_000 }).toBe(before + 1);
    return miser;
  };
  const links = (): number => torrent.links.length;
  return { node, clock, state, links, connect, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

const LAYOUT = { pieceLength: 16 * 1024, padding: 0, manifest: randomBytes(50) };
const FILM = { ...LAYOUT, files: [{ name: 'film.mp4', content: randomBytes(3_000_000) }] };

test('the network is in question, and the router asked, when a connection is doubtful', async () => {
  await using item = await SharedItem.make(FILM);
  await using fetching = await startFetching(item);
  const { node, clock, connect, state } = fetching;
  await connect();
  await clock.advance(3_000);
  expect([node.reach.network.suspect, state.routerChecks]).toEqual([0, 0]);
  await clock.advance(1_000);
  expect([node.reach.network.suspect, state.routerChecks]).toEqual([1, 1]);
});

test('when the last connection to a device breaks in use the router is asked whether it still lets members in', async () => {
  await using item = await SharedItem.make(FILM);
  await using fetching = await startFetching(item);
  const { connect, state, links } = fetching;
  const misers = [await connect(), await connect()];
  for (const miser of misers) {
    miser.give(1);
    await expect.poll(() => miser.owed, { timeout: 20_000 }).toBeGreaterThan(0);
  }
  const checks: number[] = [];
  for (const miser of misers) {
    const before = links();
    miser.breakOff();
    await expect.poll(links, { timeout: 20_000 }).toBe(before - 1);
    checks.push(state.routerChecks);
  }
  expect(checks).toEqual([0, 1]);
});

/** A torrent from elsewhere of which nothing is fetched, with a limit of its own. */
function publicSpec() {
  const info = { length: 16_384, name: 'film.mkv', 'piece length': 16_384, pieces: randomBytes(20) };
  const metainfo = encode({ info });
  const root = join(tmpdir(), 'never-written');
  const path = join(root, 'film.mkv');
  return {
    infoHash: parsePublicMetainfo(metainfo).infoHash,
    metainfo,
    segments: [{ kind: 'file', offset: 0, length: 16_384, path, root, identity: null }] as const,
    bitfield: null,
    paused: false,
    background: false,
    limits: { up: 0, down: 4_000 },
    listedIn: sphereId,
  };
}

test('a torrent from elsewhere that comes back while it is being removed keeps to its limit', async () => {
  await using node = await start(['127.0.0.1']);
  const spec = publicSpec();
  expect(await node.addPublic([spec])).toEqual([]);
  await Promise.all([node.remove(spec.infoHash), node.addPublic([spec])]);
  expect(node.public.find(spec.infoHash)?.state.state).toBe('downloading');
  expect(node.host.resources.bucketsOf(spec.infoHash).down.rate).toBe(4_000);
  await node.remove(spec.infoHash);
  expect(node.host.resources.bucketsOf(spec.infoHash).down.rate).toBe(0);
});

test('what a sphere says of a torrent that is another one’s leaves the limits of that one alone', async () => {
  await using item = await SharedItem.make(FILM);
  await using node = await start(['127.0.0.1']);
  const metainfo = buildMetainfo(item.shape);
  const whole = { bitfield: null, paused: true, background: true, segments: item.receiverSegments() };
  const limits = { up: 0, down: 7_000 };
  await node.addAll([{ ...metainfo, ...whole, sphereId, mediaKey: item.mediaKey, limits }]);
  const refused = await node.addPublic([{ ...publicSpec(), infoHash: metainfo.infoHash }]);
  expect(refused.map(({ code }) => code)).toEqual(['conflict']);
  expect(node.host.resources.bucketsOf(metainfo.infoHash).down.rate).toBe(7_000);
});
