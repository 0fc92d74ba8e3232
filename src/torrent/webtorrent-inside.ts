// BEP 3: peer wire protocol, BEP 6: Fast Extension, BEP 10: Extension Protocol, as webtorrent speaks them
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import type { Duplex } from 'node:stream';
import type { Torrent } from 'webtorrent';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { BlockHeader } from './wire-framer.ts';

/** A wire of bittorrent-protocol; members with an underscore are theirs, not public. */
interface InnerWire extends EventEmitter {
  readonly amChoking: boolean;
  readonly peerChoking: boolean;
  readonly hasFast: boolean;
  readonly peerPieces: { readonly buffer: Uint8Array };
  extendedMapping: Record<number, string>;
  extendedHandshake: Record<string, unknown>;
  uploaded: number;
  downloaded: number;
  downloadSpeed(bytes?: number): number;
  uploadSpeed(bytes?: number): number;
  handshake(infoHash: string, peerId: string, extensions: { fast: boolean }): void;
  reject(index: number, offset: number, length: number): void;
  choke(): void;
  keepAlive(): void;
  have(index: number): void;
  use(extension: { readonly prototype: { readonly name: string } }): void;
  push(chunk: Uint8Array | null): boolean;
  _onHandshakeBuffer(bytes: Uint8Array): void;
  _onMessage(bytes: Uint8Array): void;
  _onRequest(index: number, offset: number, length: number): void;
  _onCancel(index: number, offset: number, length: number): void;
  _onReject(index: number, offset: number, length: number): void;
  _onExtended(extension: number, bytes: Uint8Array): void;
  [extension: string]: unknown;
}

interface InnerPeer extends EventEmitter {
  readonly id: string;
  readonly wire: InnerWire | null;
  readonly destroyed: boolean;
  setThrottlePipes(): void;
  destroy(): void;
}

interface InnerTorrent extends Torrent {
  readonly bitfield: { readonly buffer: Uint8Array; get(index: number): boolean };
  readonly wires: readonly InnerWire[];
  readonly _peers: Map<string, InnerPeer>;
  _rechokeNumSlots: number;
  _verifyPieces(done: (error: Error | null) => void): void;
  _updateWire(wire: InnerWire): void;
  _updateWireWrapper(): void;
  _markVerified(index: number): void;
  _markUnverified(index: number): void;
}

export interface Members {
  readonly torrent: readonly string[];
  readonly peer: readonly string[];
  readonly wire: readonly string[];
}

/** What is used of a torrent, a peer and a wire beyond what they promise. */
export const MEMBERS: Members = {
  torrent: [
    ...['_peers', '_verifyPieces', '_updateWire', '_updateWireWrapper', '_markVerified', '_markUnverified'],
    '_rechokeNumSlots',
  ],
  peer: ['setThrottlePipes'],
  wire: [
    ...['reject', 'choke', 'have', 'keepAlive', 'use', 'push', '_onHandshakeBuffer', '_onMessage', '_onRequest'],
    ...['_onCancel', '_onReject', '_onExtended'],
  ],
};

/** The only versions whose members these are, by package. */
export const PINNED_VERSIONS: Readonly<Record<string, string>> = {
  webtorrent: '3.0.21',
  'bittorrent-protocol': '5.0.9',
};

/** What a wire leaves to whoever holds it: everything about blocks, what is sent, and the extensions. */
export interface WireOwner {
  /** Sends bytes of whole messages; false when the connection has ended. */
  send(bytes: Uint8Array): boolean;
  /** The other end asks for a block. */
  onRequest(block: BlockHeader): void;
  onCancel(block: BlockHeader): void;
  onReject(block: BlockHeader): void;
  /** We choke the other end from now on. */
  onChoked(): void;
  onExtended(extension: number, bytes: Uint8Array): void;
  /** The other end says what it holds, in BEP 3 bit order; null = everything. */
  onPieces(bitfield: Uint8Array | null): void;
  onHave(piece: number): void;
  /** The other end chokes us. */
  onChoking(): void;
}

/** One connection as webtorrent converses on it: handshake, choking, interest, who holds what. */
export class PeerWire {
  readonly id: string;
  readonly #peer: InnerPeer;
  readonly #wire: InnerWire;

  constructor(peer: InnerPeer, wire: InnerWire) {
    this.id = peer.id;
    this.#peer = peer;
    this.#wire = wire;
  }

  get isClosed(): boolean {
    return this.#peer.destroyed;
  }

  /** Whether we choke the other end. */
  get amChoking(): boolean {
    return this.#wire.amChoking;
  }

  /** Whether the other end chokes us. */
  get peerChoking(): boolean {
    return this.#wire.peerChoking;
  }

  /** BEP 6, at both ends. */
  get hasFast(): boolean {
    return this.#wire.hasFast;
  }

  /** Blocks, in bytes per second. */
  get rates(): { readonly down: number; readonly up: number } {
    return { down: this.#wire.downloadSpeed(), up: this.#wire.uploadSpeed() };
  }

  /** Bytes of blocks since the start. */
  get moved(): { readonly down: number; readonly up: number } {
    return { down: this.#wire.downloaded, up: this.#wire.uploaded };
  }

  /** Before anything was said: no extension is offered or answered, and `handshake` is what is said of ourselves. */
  takeOver(owner: WireOwner, handshake: Readonly<Record<string, unknown>>): void {
    const wire = this.#wire;
    wire.use = (extension) => {
      wire[extension.prototype.name] = new InertExtension();
    };
    wire.extendedHandshake = { ...handshake };
    wire._onExtended = (extension, bytes) => owner.onExtended(extension, bytes);
    wire._onRequest = (piece, offset, length) => owner.onRequest({ piece, offset, length });
    wire._onCancel = (piece, offset, length) => owner.onCancel({ piece, offset, length });
    wire._onReject = (piece, offset, length) => owner.onReject({ piece, offset, length });
    wire.push = (bytes) => bytes !== null && owner.send(bytes);
    const choke = wire.choke.bind(wire);
    wire.choke = () => {
      choke();
      owner.onChoked();
    };
    wire.on('bitfield', () => owner.onPieces(wire.peerPieces.buffer));
    wire.on('have-all', () => owner.onPieces(null));
    wire.on('have', (piece: number) => owner.onHave(piece));
    wire.on('choke', () => owner.onChoking());
  }

  /** Offers extensions by their numbers, and says `more` of ourselves. */
  offer(mapping: Readonly<Record<number, string>>, more: Readonly<Record<string, unknown>>): void {
    this.#wire.extendedMapping = { ...mapping };
    this.#wire.extendedHandshake = { ...this.#wire.extendedHandshake, ...more };
  }

  /** The other end is told this peer id of 20 bytes. */
  nameOurselves(peerId: Uint8Array): void {
    const wire = this.#wire;
    const shake = wire.handshake.bind(wire);
    wire.handshake = (infoHash, _ofMembers, extensions) => shake(infoHash, toHex(peerId), extensions);
  }

  /** The handshake without its first byte; the memory is kept. */
  handshake(bytes: Uint8Array): void {
    this.#wire._onHandshakeBuffer(bytes);
  }

  /** One checked message without its length. A bitfield's memory is kept. */
  receive(message: Uint8Array): void {
    this.#wire._onMessage(message);
  }

  reject({ piece, offset, length }: BlockHeader): void {
    this.#wire.reject(piece, offset, length);
  }

  keepAlive(): void {
    this.#wire.keepAlive();
  }

  /** Counts what came: all bytes. */
  received(bytes: number): void {
    this.#peer.emit('download', bytes);
  }

  /** Counts what was sent: all bytes. */
  sent(bytes: number): void {
    this.#peer.emit('upload', bytes);
  }

  /** Counts what came of blocks alone. */
  gotBlock(bytes: number): void {
    this.#wire.downloaded += bytes;
    this.#wire.downloadSpeed(bytes);
  }

  /** Counts what was sent of blocks alone. */
  gaveBlock(bytes: number): void {
    this.#wire.uploaded += bytes;
    this.#wire.uploadSpeed(bytes);
  }

  destroy(): void {
    this.#peer.destroy();
  }
}

class InertExtension extends EventEmitter {
  setMetadata(): void {}
  fetch(): void {}
  cancel(): void {}
}

/** One torrent as webtorrent converses on it with all its peers. */
export class TorrentWires {
  readonly #torrent: InnerTorrent;
  readonly #members: Members;
  readonly #wires = new Map<InnerWire, PeerWire>();

  /** Right after the torrent was added. Fails with `transfer-unsafe` when a member is gone. */
  constructor(torrent: Torrent, members: Members) {
    requireMembers(torrent, members.torrent, 'torrent');
    this.#torrent = torrent as InnerTorrent;
    this.#members = members;
    // The store checks every piece before it is first served, so the start needs no look at the disk.
    this.#torrent._verifyPieces = (done) => done(null);
  }

  get isClosed(): boolean {
    return this.#torrent.destroyed;
  }

  /** All bytes, per second. */
  get rates(): { readonly down: number; readonly up: number } {
    return { down: this.#torrent.downloadSpeed, up: this.#torrent.uploadSpeed };
  }

  /** All bytes sent since the start. */
  get uploaded(): number {
    return this.#torrent.uploaded;
  }

  /** In BEP 3 bit order; it changes as pieces come. */
  get bits(): Uint8Array {
    return this.#torrent.bitfield.buffer;
  }

  /** How many are given something at the same time. */
  get slots(): number {
    return this.#torrent._rechokeNumSlots;
  }

  set slots(slots: number) {
    this.#torrent._rechokeNumSlots = slots;
  }

  /** `ask` is called for a wire of which something may be asked now, `warned` and `failed` when webtorrent says so. */
  listen(on: {
    readonly ask: (wire: PeerWire) => void;
    readonly warned: (warning: unknown) => void;
    readonly failed: (error: unknown) => void;
  }): void {
    this.#torrent._updateWire = (wire) => {
      const known = this.#wires.get(wire);
      if (known !== undefined) on.ask(known);
    };
    this.#torrent.on('warning', on.warned);
    this.#torrent.on('error', on.failed);
  }

  has(piece: number): boolean {
    return this.#torrent.bitfield.get(piece);
  }

  /** Has `ask` called for every wire. */
  askAll(): void {
    this.#torrent._updateWireWrapper();
  }

  /** The piece is here: to be told to peers by `announce`. */
  verified(piece: number): void {
    this.#torrent._markVerified(piece);
  }

  lost(piece: number): void {
    this.#torrent._markUnverified(piece);
  }

  announce(piece: number): void {
    for (const wire of this.#torrent.wires) wire.have(piece);
  }

  /**
   * `begin` gets the connection before anything is said on it: none of its bytes goes webtorrent's own way. False when it
   * is not taken. Fails with `transfer-unsafe`.
   */
  connect(stream: Duplex, id: string, begin: (wire: PeerWire) => void): boolean {
    const torrent = this.#torrent;
    if (torrent.destroyed || !torrent.addPeer(Object.assign(stream, { id, connected: false }))) return false;
    const peer = torrent._peers.get(id);
    if (peer === undefined) throw new AppError('transfer-unsafe', 'webtorrent did not register the peer');
    requireMembers(peer, this.#members.peer, 'peer');
    peer.setThrottlePipes = () => {
      const { wire } = peer;
      if (wire === null) return;
      const known = new PeerWire(peer, wire);
      this.#wires.set(wire, known);
      stream.once('close', () => this.#wires.delete(wire));
      begin(known);
    };
    // webtorrent waits for this event of a stream that says it is not connected yet; now its peer is prepared.
    stream.emit('connect');
    return true;
  }

  async close(): Promise<void> {
    const torrent = this.#torrent;
    if (torrent.destroyed) return;
    await new Promise<void>((resolve) => torrent.destroy({ destroyStore: false }, () => resolve()));
  }
}

/** The one door to members of webtorrent and bittorrent-protocol that they do not promise. */
export class WebtorrentInside {
  readonly #members: Members;
  readonly #versions: Readonly<Record<string, string>>;

  constructor(members: Members = MEMBERS, versions: Readonly<Record<string, string>> = PINNED_VERSIONS) {
    this.#members = members;
    this.#versions = versions;
  }

  /** Fails with `transfer-unsafe` when the packages are other versions than this was made for, or a wire lacks a member. */
  checkPackages(wireClass: { readonly prototype: object }): void {
    for (const [name, version] of Object.entries(this.#versions)) {
      const found = installedVersion(name);
      if (found !== version) {
        throw new AppError('transfer-unsafe', 'a package is another version than this program was made for', {
          name,
          version,
          found,
        });
      }
    }
    requireMembers(wireClass.prototype, this.#members.wire, 'wire');
  }

  /** Right after the torrent was added. Fails with `transfer-unsafe` when a member is gone. */
  open(torrent: Torrent): TorrentWires {
    return new TorrentWires(torrent, this.#members);
  }
}

function requireMembers(library: object, members: readonly string[], check: string): void {
  const missing = members.filter((member) => !(member in library));
  if (missing.length > 0)
    throw new AppError('transfer-unsafe', 'a library lacks what is used of it', { check, missing });
}

/** '' when it cannot be told. bittorrent-protocol is the one that webtorrent loads. */
function installedVersion(name: string): string {
  const ours = findPackageJSON('webtorrent', import.meta.url);
  const file = name === 'webtorrent' || ours === undefined ? ours : findPackageJSON(name, ours);
  const manifest: unknown = file === undefined ? null : JSON.parse(readFileSync(file, 'utf8'));
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : null;
  return typeof version === 'string' ? version : '';
}
