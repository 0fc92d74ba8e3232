import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContractRouterClient } from '@orpc/contract';
import { toHex } from '../../src/base/bytes.ts';
import { AppError } from '../../src/base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../../src/base/id.ts';
import { parseDeviceKey, parseSphereId } from '../../src/base/id.ts';
import { connectChannel, processChannel } from '../../src/contract/process-channel.ts';
import type {
  EpochKeys,
  NetworkState,
  Path,
  Segment,
  SwarmContract,
  SwarmEvent,
  TorrentState,
} from '../../src/contract/swarm.ts';
import { childEnvironment, childOptions } from '../../src/engine/process-launcher.ts';
import { eventsOf } from '../fixtures/events-of.ts';
import { SWARM } from '../fixtures/programs.ts';
import { buildMetainfo } from '../../src/torrent/metainfo.ts';

export type SwarmClient = ContractRouterClient<SwarmContract>;
export type AddedTorrent = Parameters<SwarmClient['addAll']>[0]['torrents'][number];
type Bytes = Uint8Array<ArrayBuffer>;

export const bytes = (length: number): Bytes => new Uint8Array(randomBytes(length));

export function newEpoch(): EpochKeys {
  return { admission: bytes(32), tracker: bytes(32), lan: bytes(32) };
}

export function newSphere(): SphereId {
  return parseSphereId(toHex(bytes(32)));
}

/** Identity of one installation. */
export class TestDevice {
  readonly key: DeviceKey;
  readonly privateKey: Bytes;

  constructor() {
    const pair = generateKeyPairSync('ed25519');
    this.privateKey = new Uint8Array(pair.privateKey.export({ format: 'der', type: 'pkcs8' }));
    const spki = pair.publicKey.export({ format: 'der', type: 'spki' });
    this.key = parseDeviceKey(toHex(spki.subarray(spki.length - 32)));
  }
}

/** One real swarm process and everything it told. */
export class SwarmPeer implements AsyncDisposable {
  readonly device: TestDevice;
  readonly client: SwarmClient;
  readonly child: ChildProcess;
  readonly address: string;
  readonly events: SwarmEvent[] = [];
  readonly states = new Map<InfoHash, TorrentState>();
  readonly bitfields = new Map<InfoHash, Uint8Array>();
  /** What the process wants to be told to another device. */
  onSignal: (signal: Extract<SwarmEvent, { kind: 'signal' }>) => void = () => undefined;
  /** What the process begins to fetch, for others to hear. */
  onFetching: (fetching: Extract<SwarmEvent, { kind: 'fetching' }>) => void = () => undefined;
  onEvent: (event: SwarmEvent) => void = () => undefined;
  dataPort = 0;
  trackerPort = 0;

  private constructor(device: TestDevice, address: string, child: ChildProcess) {
    this.device = device;
    this.address = address;
    this.child = child;
    this.client = connectChannel<SwarmContract>(processChannel(child));
  }

  static async start(options: {
    address: string;
    device?: TestDevice;
    dataPort?: number;
    limits?: { up: number; down: number };
    /** Of the runtime. */
    execArgv?: string[];
  }): Promise<SwarmPeer> {
    const child = fork(SWARM, {
      serialization: 'advanced',
      execArgv: [...childOptions(), ...(options.execArgv ?? [])],
      env: childEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    return SwarmPeer.of(child, options);
  }

  /** A process that runs already, for example in a network of its own; `address` is where others call it. */
  static async of(
    child: ChildProcess,
    options: {
      address: string;
      /** Empty = all; the one address when left out. */
      addresses?: string[];
      device?: TestDevice;
      dataPort?: number;
      mapPorts?: boolean;
      /** Own addresses in whose networks members are looked for. */
      discoverOn?: string[];
      limits?: { up: number; down: number };
    },
  ): Promise<SwarmPeer> {
    const device = options.device ?? new TestDevice();
    const peer = new SwarmPeer(device, options.address, child);
    const ports = await peer.client.start({
      deviceKey: device.key,
      devicePrivateKey: device.privateKey,
      dataPort: options.dataPort ?? 0,
      addresses: options.addresses ?? [options.address],
      mapPorts: options.mapPorts ?? false,
      discoverOn: options.discoverOn ?? [],
      limits: options.limits ?? { up: 0, down: 0 },
    });
    peer.dataPort = ports.dataPort;
    peer.trackerPort = ports.trackerPort;
    void peer.#listen();
    return peer;
  }

  get endpoint(): string {
    return `${this.address}:${this.dataPort}`;
  }

  state(infoHash: InfoHash): TorrentState['state'] | undefined {
    return this.states.get(infoHash)?.state;
  }

  /** How the device's peers are connected now, most recently told. */
  get paths(): Path[] {
    const told = this.events.findLast((event) => event.kind === 'peers');
    return told?.kind === 'peers' ? told.peers.map(({ path }) => path) : [];
  }

  get network(): NetworkState | undefined {
    const told = this.events.findLast((event) => event.kind === 'network');
    return told?.kind === 'network' ? told.network : undefined;
  }

  bytesHave(infoHash: InfoHash): number {
    const told = this.events.findLast((event) => event.kind === 'have' && event.infoHash === infoHash);
    return told?.kind === 'have' ? told.bytesHave : 0;
  }

  /** Trackers this process runs, as members are told. */
  get trackers(): string[] {
    const told = this.events.findLast((event) => event.kind === 'candidates');
    return told?.kind === 'candidates' ? told.trackers : [];
  }

  /** Memory of the process that is in use, where the system tells it. */
  get residentBytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  async joinSphere(sphereId: SphereId, epochs: EpochKeys[], peers: readonly SwarmPeer[]): Promise<void> {
    const devices = [this, ...peers].map((peer) => peer.device.key);
    await this.client.setSphere({ sphereId, epochs, devices });
  }

  async learn(sphereId: SphereId, peer: SwarmPeer): Promise<void> {
    await this.client.setEndpoints({ sphereId, device: peer.device.key, endpoints: [peer.endpoint], trackers: [] });
  }

  /** Fails as the process refuses it. */
  async add(spec: AddedTorrent): Promise<void> {
    const { refused } = await this.client.addAll({ torrents: [spec] });
    for (const { code, message } of refused) throw new AppError(code, message);
  }

  async kill(): Promise<void> {
    if (this.#isGone) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isGone) return;
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }

  get #isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async #listen(): Promise<void> {
    try {
      for await (const event of eventsOf(await this.client.events())) {
        this.events.push(event);
        this.onEvent(event);
        if (event.kind === 'signal') this.onSignal(event);
        if (event.kind === 'fetching') this.onFetching(event);
        if (event.kind === 'state') this.states.set(event.torrent.infoHash, event.torrent);
        if (event.kind === 'have') this.bitfields.set(event.infoHash, event.bitfield);
      }
    } catch {
      // The process has ended, which is how every test ends.
    }
  }
}

/** A shared file and what a member needs to fetch it. */
export interface TestItem {
  readonly path: string;
  readonly length: number;
  /** null = the item travels as it is. */
  readonly mediaKey: Bytes | null;
  readonly metainfo: Bytes;
  readonly infoHash: InfoHash;
  readonly pieceLength: number;
  readonly segments: Segment[];
  readonly total: number;
}

export async function randomFile(path: string, length: number): Promise<string> {
  await writeFile(path, '');
  const step = 8 * 1024 * 1024;
  for (let left = length; left > 0; left -= step) {
    await writeFile(path, randomBytes(Math.min(left, step)), { flag: 'a' });
  }
  return path;
}

export async function sparseFile(path: string, length: number): Promise<string> {
  await writeFile(path, '');
  await truncate(path, length);
  return path;
}

/** Hashes a file in the peer's process and seeds it there. */
export async function share(
  peer: SwarmPeer,
  sphereId: SphereId,
  path: string,
  pieceLength = 256 * 1024,
  mediaKey: Bytes | null = bytes(32),
): Promise<TestItem> {
  const length = (await stat(path)).size;
  const total = Math.ceil(length / pieceLength) * pieceLength;
  const plan: Segment[] = [{ kind: 'file', offset: 0, length, path, root: null, identity: null }];
  for await (const step of await peer.client.hash({ segments: plan, length: total, pieceLength, mediaKey })) {
    if (step.kind === 'progress') continue;
    const { metainfo, infoHash } = buildMetainfo({ length: total, pieceLength, pieces: step.pieces });
    const segments: Segment[] = [
      { kind: 'file', offset: 0, length, path, root: null, identity: step.identities[0] ?? null },
    ];
    const item = { path, length, mediaKey, metainfo, infoHash, pieceLength, segments, total };
    await serve(peer, sphereId, item);
    return item;
  }
  throw new Error('hashing ended without a result');
}

/** Seeds what was hashed before. */
export async function serve(peer: SwarmPeer, sphereId: SphereId, item: TestItem): Promise<void> {
  const { infoHash, metainfo, mediaKey, segments, total, pieceLength } = item;
  const bitfield = fullBitfield(total / pieceLength);
  await peer.add({ sphereId, infoHash, metainfo, mediaKey, segments, bitfield, paused: false, background: true });
}

export async function receive(
  peer: SwarmPeer,
  sphereId: SphereId,
  item: TestItem,
  root: string,
  options: {
    bitfield?: Bytes | null;
    background?: boolean;
    paused?: boolean;
    mediaKey?: Bytes | null;
    alsoIn?: SphereId[];
  } = {},
): Promise<string> {
  const path = join(root, 'received');
  await peer.add({
    sphereId,
    alsoIn: options.alsoIn ?? [],
    infoHash: item.infoHash,
    metainfo: item.metainfo,
    mediaKey: options.mediaKey === undefined ? item.mediaKey : options.mediaKey,
    segments: [{ kind: 'file', offset: 0, length: item.length, path, root, identity: null }],
    bitfield: options.bitfield ?? null,
    paused: options.paused ?? false,
    background: options.background ?? true,
  });
  return path;
}

export function fullBitfield(pieces: number): Bytes {
  const bits = new Uint8Array(Math.ceil(pieces / 8)).fill(0xff);
  const spare = bits.length * 8 - pieces;
  bits[bits.length - 1] = (0xff << spare) & 0xff;
  return bits;
}

export function countBits(bits: Uint8Array | undefined): number {
  return Array.from(bits ?? []).reduce((count, byte) => count + byte.toString(2).replaceAll('0', '').length, 0);
}

export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** Waits until `check` is true; fails with `what` after `ms`. */
export async function until(what: string, check: () => boolean, ms = 30_000): Promise<void> {
  const end = performance.now() + ms;
  while (!check()) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
