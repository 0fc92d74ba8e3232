import { once } from 'node:events';
import { createServer, connect as connectTcp } from 'node:net';
import { pid } from 'node:process';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseDeviceKey } from '../../src/base/id.ts';
import { createLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import type { RtcSignal } from '../../src/contract/swarm.ts';
import type { IceServer } from '../../src/nat/rtc/ice-servers.ts';
import { loadRtc } from '../../src/nat/rtc/load-rtc.ts';
import { RtcLink } from '../../src/nat/rtc/rtc-link.ts';

/** Runs on a host of the laboratory: one end of a link, told by messages what to do. */
export type RtcPeerCall =
  | {
      readonly call: 'start';
      readonly self: string;
      readonly remote: string;
      readonly iceServers?: readonly IceServer[];
    }
  | { readonly call: 'signal'; readonly signal: RtcSignal }
  /** Opens a stream, sends that many bytes and ends it. */
  | { readonly call: 'send'; readonly bytes: number }
  /** The same over TCP, to an address and port. */
  | { readonly call: 'send-tcp'; readonly bytes: number; readonly address: string; readonly port: number }
  | { readonly call: 'listen-tcp' }
  /** Streams opened by the other side are read from now on, or not. */
  | { readonly call: 'read'; readonly on: boolean }
  /** Opens a connection, sends a few bytes, and hangs up, that many times. */
  | { readonly call: 'cycle'; readonly times: number }
  | { readonly call: 'memory' }
  | { readonly call: 'hang-up' }
  | { readonly call: 'quit' };

export type RtcPeerAnswer =
  | { readonly kind: 'signal'; readonly signal: RtcSignal }
  | { readonly kind: 'state'; readonly state: string; readonly path: string }
  | { readonly kind: 'sent'; readonly ms: number; readonly cpuMs: number }
  | { readonly kind: 'received'; readonly bytes: number; readonly ms: number; readonly cpuMs: number }
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'memory'; readonly rss: number }
  | { readonly kind: 'cycled'; readonly failed: number }
  | { readonly kind: 'failed'; readonly code: string };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const CHUNK = Buffer.alloc(2 ** 18, pid);
const verbose = process.env['SPHERECAST_VERBOSE'] === '1';
const rtc = await loadRtc();
const signal = new AbortController().signal;
const streams = new Set<Duplex>();
let isReading = true;
let link: RtcLink | undefined;
const iceServers: IceServer[] = [];
let keys = { self: '', remote: '' };
const log = createLogger({
  clock: systemClock,
  sink: (entry) => {
    if (verbose) process.stderr.write(`${JSON.stringify(entry)}\n`);
  },
});

function tell(answer: RtcPeerAnswer): void {
  if (process.connected) process.send?.(answer);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function createLink(): RtcLink {
  const made = new RtcLink({
    native: rtc,
    clock: systemClock,
    random: systemRandom,
    log,
    self: parseDeviceKey(keys.self),
    remote: parseDeviceKey(keys.remote),
    iceServers: () => iceServers,
    signal: (told) => tell({ kind: 'signal', signal: told }),
    onStream: (stream) => {
      receive(stream);
      return Promise.resolve();
    },
  });
  made.changes.on((state) => {
    // One link would not take as many offers a minute as these tests make.
    if (state.kind === 'failed' && link === made) link = undefined;
    tell({
      kind: 'state',
      state: state.kind,
      path: state.kind === 'connected' ? `${state.path.kind} ${state.path.address}` : '',
    });
  });
  return made;
}

function receive(stream: Duplex): void {
  streams.add(stream);
  let bytes = 0;
  let start = 0;
  let cpu = 0;
  stream.on('data', (chunk: Uint8Array) => {
    if (start === 0) [start, cpu] = [performance.now(), cpuMs()];
    bytes += chunk.length;
  });
  stream.on('end', () => tell({ kind: 'received', bytes, ms: performance.now() - start, cpuMs: cpuMs() - cpu }));
  stream.on('close', () => streams.delete(stream));
  if (!isReading) stream.pause();
}

function* chunksOf(bytes: number): Generator<Uint8Array> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
}

async function send(stream: Duplex, bytes: number): Promise<void> {
  const [start, cpu] = [performance.now(), cpuMs()];
  await pipeline(chunksOf(bytes), stream.resume());
  tell({ kind: 'sent', ms: performance.now() - start, cpuMs: cpuMs() - cpu });
}

async function listenTcp(): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    server.close();
    receive(socket);
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const address = server.address();
  tell({ kind: 'listening', port: typeof address === 'object' && address !== null ? address.port : 0 });
}

async function cycle(times: number): Promise<void> {
  let failed = 0;
  for (let count = 0; count < times; count += 1) {
    try {
      await connectOnce();
    } catch (error) {
      if (verbose) console.error(error);
      failed += 1;
    }
    hangUp();
  }
  tell({ kind: 'cycled', failed });
}

/** Connects, and sends a few bytes that arrive. */
async function connectOnce(): Promise<void> {
  const stream = await theLink().open(signal);
  const closed = once(stream.resume(), 'close');
  stream.end('a few bytes');
  await closed;
}

function theLink(): RtcLink {
  link ??= createLink();
  return link;
}

function hangUp(): void {
  link?.[Symbol.dispose]();
  link = undefined;
}

function memory(): void {
  for (let count = 0; count < 4; count += 1) collectGarbage();
  tell({ kind: 'memory', rss: process.memoryUsage().rss });
}

async function handle(call: RtcPeerCall): Promise<void> {
  if (call.call === 'start') {
    keys = call;
    iceServers.push(...(call.iceServers ?? []));
  } else if (call.call === 'signal') theLink().receive(call.signal);
  else if (call.call === 'send') await send(await theLink().open(signal), call.bytes);
  else if (call.call === 'send-tcp') {
    await send(connectTcp({ host: call.address, port: call.port, noDelay: true }), call.bytes);
  } else if (call.call === 'listen-tcp') await listenTcp();
  else if (call.call === 'read') {
    isReading = call.on;
    for (const stream of streams) stream[call.on ? 'resume' : 'pause']();
  } else if (call.call === 'cycle') await cycle(call.times);
  else if (call.call === 'memory') memory();
  else if (call.call === 'hang-up') hangUp();
  else {
    hangUp();
    rtc[Symbol.dispose]();
    process.disconnect();
  }
}

process.on('message', (call: RtcPeerCall) => {
  handle(call).catch((error: unknown) => {
    if (verbose) console.error(error);
    tell({ kind: 'failed', code: error instanceof Error && 'code' in error ? String(error.code) : String(error) });
  });
});
