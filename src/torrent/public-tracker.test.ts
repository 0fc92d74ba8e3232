import type { RemoteInfo } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { errorCode } from '../base/errors.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { encode } from './bencode/bencode.ts';
import { isInternetAddress } from './internet-address.ts';
import { askPublicTracker } from './public-tracker.ts';
import type { TrackerReport } from './udp-tracker.ts';

const stack: (() => void)[] = [];
afterEach(() => {
  for (const end of stack.splice(0)) end();
});

const report: TrackerReport = {
  infoHash: new Uint8Array(20).fill(0xab),
  peerId: new Uint8Array(20).fill(0x20),
  port: 6881,
  uploaded: 1,
  downloaded: 2,
  left: 3,
  event: 'started',
};
const PEER = Uint8Array.of(93, 184, 216, 34, 0x1a, 0xe1);
const deps = {
  clock: systemClock,
  random: systemRandom,
  addresses: [],
  policy: isInternetAddress,
  resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
};
/** Only tests may call trackers on this computer. */
const open = { ...deps, policy: () => true };
const never = new AbortController().signal;

async function httpTracker(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(encode({ interval: 1800, peers: PEER }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.push(() => void server.close());
  return { port: (server.address() as AddressInfo).port, asked };
}

/** BEP 15, the other side. */
async function udpTracker(answersFrom = 1): Promise<{ port: number; asked: Buffer[] }> {
  const asked: Buffer[] = [];
  const socket = createSocket('udp4', (message, from: RemoteInfo) => {
    asked.push(message);
    if (asked.length < answersFrom) return;
    const isConnect = message.readUInt32BE(8) === 0;
    const answer = Buffer.alloc(isConnect ? 16 : 26);
    answer.writeUInt32BE(isConnect ? 0 : 1, 0);
    message.copy(answer, 4, 12, 16);
    if (isConnect) answer.writeBigUInt64BE(77n, 8);
    else {
      answer.writeUInt32BE(900, 8);
      answer.set(PEER, 20);
    }
    socket.send(Buffer.from('noise'), from.port, from.address);
    socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  stack.push(() => void socket.close());
  return { port: socket.address().port, asked };
}

test('a tracker over HTTP is told what BEP 3 says, behind whatever its address holds', async () => {
  const { port, asked } = await httpTracker();
  const reply = await askPublicTracker(`http://t.example:${port}/a?key=1`, report, open, never);
  expect(reply).toEqual({ intervalMs: 1_800_000, peers: ['93.184.216.34:6881'] });
  const query = new URLSearchParams(asked[0]?.slice(asked[0].indexOf('?')));
  expect(Object.fromEntries(query)).toMatchObject({
    key: '1',
    port: '6881',
    left: '3',
    event: 'started',
    compact: '1',
  });
  expect(asked[0]).toContain(`info_hash=${'%ab'.repeat(20)}`);
});

test('a tracker over UDP is greeted and told, and noise from it is passed over', async () => {
  const { port, asked } = await udpTracker();
  const reply = await askPublicTracker(`udp://t.example:${port}/announce`, report, open, never);
  expect(reply).toEqual({ intervalMs: 900_000, peers: ['93.184.216.34:6881'] });
  const told = asked[1] ?? Buffer.alloc(98);
  expect(told.readBigUInt64BE(0)).toBe(77n);
  expect([told.readBigUInt64BE(56), told.readBigUInt64BE(64), told.readBigUInt64BE(72)]).toEqual([2n, 3n, 1n]);
  expect([told.readUInt32BE(80), told.readUInt16BE(96)]).toEqual([2, 6881]);
});

test.each(['http://127.0.0.1', 'http://2130706433', 'http://[::1]', 'http://192.168.1.1', 'http://name.example'])(
  'a .torrent file cannot make us call our own network: %s',
  async (origin) => {
    const { port, asked } = await httpTracker();
    const failure = await askPublicTracker(`${origin}:${port}/a`, report, deps, never).catch(errorCode);
    expect(failure).toBe('not-allowed');
    expect(asked).toEqual([]);
  },
);

test('nor over UDP', async () => {
  const { port, asked } = await udpTracker();
  const failure = await askPublicTracker(`udp://name.example:${port}`, report, deps, never).catch(errorCode);
  expect(failure).toBe('not-allowed');
  expect(asked).toEqual([]);
});

test('a name that lies in several places is called only where it may be', async () => {
  const { port } = await httpTracker();
  const resolve = () =>
    Promise.resolve([
      { address: '10.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  const policy = (address: string): boolean => address === '127.0.0.1';
  const reply = await askPublicTracker(`http://t.example:${port}/a`, report, { ...deps, resolve, policy }, never);
  expect(reply.peers).toEqual(['93.184.216.34:6881']);
});
