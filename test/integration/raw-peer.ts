import type { Agent, IncomingMessage } from 'node:http';
import { get } from 'node:http';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { DeviceKey, InfoHash, SphereId } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import type { EpochKeys } from '../../src/contract/swarm.ts';
import type { AdmittingSphere } from '../../src/torrent/admission.ts';
import { answerCall, callIn } from '../../src/torrent/admission.ts';
import { ed25519PrivateKey } from '../../src/torrent/ed25519.ts';
import { WireFramer } from '../../src/torrent/wire-framer.ts';
import type { TestDevice } from './swarm-peer.ts';

const never = new AbortController().signal;

export function handshake(infoHash: InfoHash): Buffer {
  const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 4]);
  const name = Buffer.from('\u0013BitTorrent protocol', 'latin1');
  return Buffer.concat([name, reserved, Buffer.from(infoHash, 'hex'), Buffer.from(systemRandom(20))]);
}

/** What a tracker answers to somebody who takes part in what it knows by this hash. */
export async function announceFrom(agent: Agent, url: string, hash: string): Promise<string> {
  const query = `info_hash=${hash.replace(/../g, '%$&')}&peer_id=${'a'.repeat(20)}&port=1234&left=1&compact=1`;
  const [response] = (await once(get(`${url}?${query}`, { agent }), 'response')) as [IncomingMessage];
  return text(response);
}

export function frame(...parts: readonly Uint8Array[]): Buffer {
  const message = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}

export function message(id: number, ...values: number[]): Buffer {
  const body = Buffer.alloc(1 + values.length * 4);
  body[0] = id;
  for (const [index, value] of values.entries()) body.writeUInt32BE(value, 1 + index * 4);
  return frame(body);
}

/** A stream whose other end is a real swarm process that admitted us; what is sent on it is up to the test. */
export interface RawPeer {
  readonly socket: Socket;
  readonly received: Buffer[];
  closed: boolean;
}

interface Who {
  readonly device: TestDevice;
  readonly sphereId: SphereId;
  readonly epoch: EpochKeys;
  readonly listed: readonly DeviceKey[];
}

export async function dialRaw(
  endpoint: string,
  who: Who,
  target: { infoHash: InfoHash; purpose?: 'swarm' | 'metainfo' },
): Promise<RawPeer> {
  const [host = '', port = '0'] = endpoint.split(':');
  const socket = connect(Number(port), host);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const call = {
    sphere: sphereOf(who),
    admissionKey: who.epoch.admission,
    infoHash: target.infoHash,
    purpose: target.purpose ?? 'swarm',
  };
  await callIn(socket, call, admission(who.device), never);
  return listen(socket);
}

/** A member that answers calls, sends `opening` and then does what `serve` says. */
export async function serveRaw(
  address: string,
  who: Who,
  opening: Uint8Array,
  serve: (peer: RawPeer, bytes: Uint8Array) => void,
): Promise<{ endpoint: string; calls: () => number; close: () => void }> {
  let calls = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => undefined);
    sockets.add(socket);
    answerCall(socket, [sphereOf(who)], admission(who.device), never).then(
      () => {
        calls += 1;
        const peer: RawPeer = { socket, received: [], closed: false };
        const framer = new WireFramer({
          pieceCount: 100_000,
          onHandshake: () => undefined,
          onMessage: (bytes) => serve(peer, bytes),
        });
        socket.on('data', (chunk: Buffer) => framer.push(chunk));
        socket.write(opening);
        socket.resume();
      },
      () => socket.destroy(),
    );
  });
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { endpoint: `${address}:${port}`, calls: () => calls, close };
}

/** A relay that counts what passes, so that a test sees what a person on the network sees. */
export async function relay(
  address: string,
  target: string,
): Promise<{ endpoint: string; bytes: () => number; first: () => Buffer; close: () => void }> {
  const [host = '', targetPort = '0'] = target.split(':');
  let bytes = 0;
  const first: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(Number(targetPort), host);
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (first.length < 64) first.push(chunk.subarray(0, 1024));
      });
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { endpoint: `${address}:${port}`, bytes: () => bytes, first: () => Buffer.concat(first), close };
}

function listen(socket: Socket): RawPeer {
  const peer: RawPeer = { socket, received: [], closed: false };
  socket.on('data', (chunk: Buffer) => peer.received.push(chunk));
  socket.on('close', () => {
    peer.closed = true;
  });
  socket.resume();
  return peer;
}

function sphereOf(who: Who): AdmittingSphere {
  return {
    sphereId: who.sphereId,
    admissionKeys: [who.epoch.admission],
    isListed: (device) => who.listed.includes(device),
    has: () => true,
    seeks: () => false,
  };
}

function admission(device: TestDevice) {
  const self = { device: device.key, privateKey: ed25519PrivateKey(device.privateKey) };
  return { clock: systemClock, random: systemRandom, self };
}
