import { once } from 'node:events';
import { mkdtemp, open, rename, rm, unlink } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SphereId } from '../../src/base/id.ts';
import type { EpochKeys } from '../../src/contract/swarm.ts';
import { trackerHash } from '../../src/torrent/tracker.ts';
import { announceFrom, dialRaw, frame, handshake, message, relay, serveRaw } from './raw-peer.ts';
import type { TestItem } from './swarm-peer.ts';
import {
  countBits,
  newEpoch,
  newSphere,
  randomFile,
  receive,
  sha256,
  share,
  SwarmPeer,
  TestDevice,
  until,
} from './swarm-peer.ts';

const MIB = 1024 * 1024;
let folder: string;
let sphere: SphereId;
let epochs: EpochKeys[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spherecast-hostile-'));
  sphere = newSphere();
  epochs = [newEpoch()];
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function sharing(
  size = 8 * MIB,
  others: readonly TestDevice[] = [],
  execArgv: string[] = [],
): Promise<{ anna: SwarmPeer; item: TestItem }> {
  const anna = await SwarmPeer.start({ address: '127.0.0.1', execArgv });
  const devices = [anna.device.key, ...others.map((device) => device.key)];
  await anna.client.setSphere({ sphereId: sphere, epochs, devices });
  const item = await share(anna, sphere, await randomFile(join(folder, 'film.mp4'), size));
  return { anna, item };
}

function member(device: TestDevice, anna: SwarmPeer) {
  return { device, sphereId: sphere, epoch: epochs[0] ?? newEpoch(), listed: [anna.device.key] };
}

test('a stranger gets 32 random bytes and learns nothing', async () => {
  const { anna, item } = await sharing();
  await using _anna = anna;
  const [host = '', port = '0'] = anna.endpoint.split(':');
  const openings = [handshake(item.infoHash), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(400, 0x55)];
  const ask = async (opening: Buffer): Promise<Buffer> => {
    const socket = connect(Number(port), host);
    const received: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.write(opening);
    await once(socket, 'close');
    return Buffer.concat(received);
  };
  for (const answer of await Promise.all(openings.map(ask))) {
    expect(answer.length).toBeLessThanOrEqual(32);
    expect(answer.includes(Buffer.from(item.infoHash, 'hex'))).toBe(false);
  }
});

test('one address cannot hold more than eight unfinished calls', async () => {
  const { anna } = await sharing(MIB);
  await using _anna = anna;
  const [host = '', port = '0'] = anna.endpoint.split(':');
  const sockets = Array.from({ length: 40 }, () => connect(Number(port), host));
  let open = sockets.length;
  for (const socket of sockets) {
    socket.on('error', () => undefined);
    socket.on('close', () => (open -= 1));
  }
  await until('the surplus is cut off', () => open <= 8);
  expect(open).toBe(8);
  await until('the rest is cut off after five seconds', () => open === 0, 8_000);
});

test('an admission names neither the sphere nor the torrent nor a device on the wire', async () => {
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  const { anna, item } = await sharing(MIB, [ben.device]);
  await using _anna = anna;
  await ben.client.setSphere({ sphereId: sphere, epochs, devices: [anna.device.key, ben.device.key] });
  const wire = await relay('127.0.0.3', anna.endpoint);
  await ben.client.setEndpoints({
    sphereId: sphere,
    device: anna.device.key,
    endpoints: [wire.endpoint],
    trackers: [],
  });
  await receive(ben, sphere, item, folder);
  await until('the download is complete', () => ben.state(item.infoHash) === 'complete');
  const beginning = wire.first().subarray(0, 32 + 32 + 165 + 144);
  for (const name of [item.infoHash, sphere, anna.device.key, ben.device.key]) {
    expect(beginning.includes(Buffer.from(name, 'hex'))).toBe(false);
  }
  wire.close();
});

test('an admitted member who asks without end and reads no answer fills no memory and stops nobody', async () => {
  const mallory = new TestDevice();
  const { anna, item } = await sharing(MIB, [mallory]);
  await using _anna = anna;
  const raw = await dialRaw(anna.endpoint, member(mallory, anna), { infoHash: item.infoHash });
  raw.socket.write(handshake(item.infoHash));
  await until('the extended handshake arrives', () => Buffer.concat(raw.received).includes('reqq'));
  raw.socket.pause();
  const before = anna.residentBytes;
  // Choked, so that each request is answered by a refusal of the same size.
  const requests = Buffer.concat(Array.from({ length: 60_000 }, () => message(6, 0, 0, 16_384)));
  for (let time = 0; time < 20; time += 1) raw.socket.write(requests);
  await pause(4_000);
  expect(anna.residentBytes - before).toBeLessThan(192 * MIB);
  await expect(Promise.race([anna.client.heartbeat(), pause(2_000)])).resolves.toEqual({ ok: true });
  raw.socket.destroy();
});

test('metadata is not offered to admitted members either', async () => {
  const mallory = new TestDevice();
  const { anna, item } = await sharing(MIB, [mallory]);
  await using _anna = anna;
  const raw = await dialRaw(anna.endpoint, member(mallory, anna), { infoHash: item.infoHash });
  raw.socket.write(handshake(item.infoHash));
  await until('the extended handshake arrives', () => Buffer.concat(raw.received).includes('reqq'));
  const sent = Buffer.concat(raw.received).toString('latin1');
  for (const offered of ['ut_metadata', 'ut_pex', 'metadata_size']) expect(sent).not.toContain(offered);
  raw.socket.destroy();
});

test('a member that sends wrong data is banned after three pieces, and the download goes on', async () => {
  const mallory = new TestDevice();
  const { anna, item } = await sharing(8 * MIB);
  await using _anna = anna;
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  const devices = [anna.device.key, ben.device.key, mallory.key];
  await anna.client.setSphere({ sphereId: sphere, epochs, devices });
  await ben.client.setSphere({ sphereId: sphere, epochs, devices });
  let blocks = 0;
  const opening = Buffer.concat([handshake(item.infoHash), message(14)]);
  const who = { ...member(mallory, ben), listed: devices };
  let isCutOff = (): boolean => false;
  const liar = await serveRaw('127.0.0.4', who, opening, (peer, bytes) => {
    isCutOff = () => peer.socket.destroyed;
    if (bytes[0] === 2) peer.socket.write(message(1));
    if (bytes[0] !== 6) return;
    blocks += 1;
    const request = Buffer.from(bytes);
    peer.socket.write(frame(Buffer.from([7]), request.subarray(1, 9), Buffer.alloc(request.readUInt32BE(9), 1)));
  });
  await ben.client.setEndpoints({ sphereId: sphere, device: mallory.key, endpoints: [liar.endpoint], trackers: [] });
  const path = await receive(ben, sphere, item, folder);
  await until('wrong data was sent', () => blocks >= 3 * 16);
  await until('it is cut off', () => isCutOff());
  const sent = blocks;
  await pause(3_000);
  expect(blocks).toBe(sent);
  expect(blocks).toBeLessThan(16 * 16);
  await ben.learn(sphere, anna);
  await until('the honest member serves', () => ben.state(item.infoHash) === 'complete');
  expect(await sha256(path)).toBe(await sha256(item.path));
  liar.close();
});

test.each([
  [
    'edited in place',
    async (path: string) => {
      await using file = await open(path, 'r+');
      await file.write(Buffer.from('edited'), 0, 6, 3 * MIB);
    },
    'changed',
  ],
  [
    'replaced by another of the same size',
    async (path: string) => {
      const other = await randomFile(`${path}.new`, 8 * MIB);
      await rename(other, path);
    },
    'changed',
  ],
  ['deleted', async (path: string) => unlink(path), 'missing'],
])('a shared file that was %s is not served', async (_how, touch, state) => {
  const { anna, item } = await sharing();
  await using _anna = anna;
  await using ben = await SwarmPeer.start({ address: '127.0.0.2' });
  await anna.joinSphere(sphere, epochs, [ben]);
  await ben.joinSphere(sphere, epochs, [anna]);
  await touch(item.path);
  const wire = await relay('127.0.0.3', anna.endpoint);
  await ben.client.setEndpoints({
    sphereId: sphere,
    device: anna.device.key,
    endpoints: [wire.endpoint],
    trackers: [],
  });
  await receive(ben, sphere, item, folder);
  await until('the sharer notices', () => anna.state(item.infoHash) === state);
  await pause(1_500);
  expect(countBits(ben.bitfields.get(item.infoHash))).toBe(0);
  expect(wire.bytes()).toBeLessThan(16_384);
  wire.close();
});

test('a removed member is cut off at once and gets nothing under the old epoch', async () => {
  const { anna, item } = await sharing(32 * MIB);
  await using _anna = anna;
  await using eve = await SwarmPeer.start({ address: '127.0.0.2', limits: { up: 0, down: MIB } });
  await anna.joinSphere(sphere, epochs, [eve]);
  await eve.joinSphere(sphere, epochs, [anna]);
  await eve.learn(sphere, anna);
  await receive(eve, sphere, item, folder);
  await until('it downloads', () => countBits(eve.bitfields.get(item.infoHash)) > 2);
  await until('it says from whom', () => eve.states.get(item.infoHash)?.peers === 1);
  const devices = [anna.device.key];
  await anna.client.setSphere({ sphereId: sphere, epochs: [newEpoch(), ...epochs], devices });
  await until('the connection is gone', () => eve.states.get(item.infoHash)?.peers === 0);
  // What came before the cut is told up to a quarter of a second later.
  await pause(1_000);
  const had = countBits(eve.bitfields.get(item.infoHash));
  await eve.learn(sphere, anna);
  await pause(3_000);
  expect(countBits(eve.bitfields.get(item.infoHash))).toBe(had);
});

/** So many that no address asks more than it may: what is refused, is refused for its hash. */
const HASHES_PER_ADDRESS = 50;
const ADDRESSES_AT_ONCE = 50;

/** The answers to different hashes, from many addresses of the form 127.`net`.x.y. */
async function flood(url: string, hashes: number, net: number): Promise<string[]> {
  const ask = async (address: number): Promise<string[]> => {
    const localAddress = `127.${net}.${address >> 7}.${(address & 0x7f) + 1}`;
    const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress });
    const answers: string[] = [];
    for (let hash = 0; hash < HASHES_PER_ADDRESS; hash += 1) {
      const made = ((net << 24) + address * HASHES_PER_ADDRESS + hash).toString(16).padStart(40, 'f');
      answers.push(await announceFrom(agent, url, made));
    }
    agent.destroy();
    return answers;
  };
  const answers: string[] = [];
  for (let first = 0; first < hashes / HASHES_PER_ADDRESS; first += ADDRESSES_AT_ONCE) {
    const some = await Promise.all(Array.from({ length: ADDRESSES_AT_ONCE }, (_, index) => ask(first + index)));
    answers.push(...some.flat());
  }
  return answers;
}

// The process collects all garbage each time, because only what is kept is growth.
test('20,000 unknown hashes from hundreds of addresses are each refused, and leave the tracker small', async () => {
  const { anna, item } = await sharing(MIB, [], ['--gc-global']);
  await using _anna = anna;
  await until('the tracker is told', () => anna.trackers.length > 0);
  const url = anna.trackers[0] ?? '';
  // What a process takes once for being busy is no growth.
  await flood(url, 5_000, 1);
  const before = anna.residentBytes;
  const answers = await flood(url, 20_000, 2);
  const grown = anna.residentBytes - before;
  console.log(`20,000 unknown hashes: ${(grown / MIB).toFixed(1)} MiB more of ${(before / MIB).toFixed(0)} MiB`);
  const refused = answers.filter((answer) => answer.includes('failure reason'));
  expect([answers.length, refused.length]).toEqual([20_000, 20_000]);
  expect(grown).toBeLessThan(8 * MIB);
  const known = trackerHash((epochs[0] ?? newEpoch()).tracker, item.infoHash);
  const agent = new Agent({ localAddress: '127.0.0.9' });
  expect(await announceFrom(agent, url, known)).toContain('interval');
}, 400_000);
