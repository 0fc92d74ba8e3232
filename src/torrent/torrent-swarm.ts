import type { Duplex } from 'node:stream';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import { Assemblies } from './assemblies.ts';
import type { Assembly } from './assembly.ts';
import { UPLOADS } from './client.ts';
import type { ConnectionInfo } from './connection-info.ts';
import { Giving } from './giving.ts';
import type { Link } from './link.ts';
import { pieceCount, pieceSize } from './metainfo.ts';
import { PeerLink } from './peer-link.ts';
import { PeerPieces } from './peer-pieces.ts';
import type { PieceRange } from './piece-range.ts';
import type { PieceSwarm, PieceSwarmDeps } from './piece-swarm.ts';
import { PiecePicker } from './picker.ts';
import type { PeerWire, TorrentWires } from './webtorrent-inside.ts';

/** A block is taken over from a connection this slow, in bytes a second, by one at least twice as fast. */
const SLOW_BPS = 48 * 1024;
/** A block is late when it takes so long, and twice as long as one of whoever could give it too. */
const LATE_MS = 2_000;
/** Who ends a connection that is younger may not want it. */
const ESTABLISHED_MS = 10_000;

export interface TorrentSwarmDeps extends PieceSwarmDeps {
  readonly wires: TorrentWires;
}

interface Member {
  readonly link: PeerLink;
  readonly pieces: PeerPieces;
  /** Every piece that it holds was begun; told by what the picker had returned then. null = not known. */
  spent: number | null;
}

/** All admitted connections of one torrent, and what is asked of each. */
export class TorrentSwarm implements PieceSwarm {
  readonly #deps: TorrentSwarmDeps;
  readonly #picker: PiecePicker;
  readonly #members = new Map<PeerWire, Member>();
  readonly #assemblies: Assemblies;
  readonly #giving = new Giving();
  readonly #count: number;
  #connections = 0;
  #held = false;
  #missing: number;
  #bytesHave: number;

  constructor(deps: TorrentSwarmDeps) {
    this.#deps = deps;
    this.#count = pieceCount(deps.shape);
    this.#assemblies = new Assemblies({
      pieceLength: deps.shape.pieceLength,
      pieceSize: (piece) => pieceSize(deps.shape, piece),
      buffers: deps.buffers,
    });
    this.#picker = new PiecePicker({
      pieceCount: this.#count,
      have: (piece) => this.has(piece),
      random: deps.random,
      background: deps.background,
    });
    const missing = Array.from({ length: this.#count }, (_, piece) => piece).filter((piece) => !this.has(piece));
    this.#missing = missing.length;
    this.#bytesHave = deps.shape.length - missing.reduce((bytes, piece) => bytes + pieceSize(deps.shape, piece), 0);
    deps.wires.listen({
      ask: (wire) => {
        const member = this.#members.get(wire);
        if (member !== undefined) this.#requestMore(member);
      },
      warned: (warning) => deps.log.warn('torrent client warns', { warning }),
      failed: (error) => deps.onFailed(error),
    });
  }

  get links(): PeerLink[] {
    return Array.from(this.#members.values(), (member) => member.link);
  }

  /** Bytes that the other end of a link is known to hold. */
  bytesOf(link: Link): number {
    const held = this.#memberOf(link)?.pieces.held ?? 0;
    return Math.min(held * this.#deps.shape.pieceLength, this.#deps.shape.length);
  }

  isSeed(link: Link): boolean {
    return this.#memberOf(link)?.pieces.complete ?? false;
  }

  get wantsAnything(): boolean {
    return this.#picker.wantsAnything;
  }

  /** Whether somebody waits for some of it. */
  get isRead(): boolean {
    return this.#picker.reading;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  has(piece: number): boolean {
    return this.#deps.wires.has(piece);
  }

  get bitfield(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#deps.wires.bits.subarray(0, Math.ceil(this.#count / 8)));
  }

  get bytesHave(): number {
    return this.#bytesHave;
  }

  get rates(): { down: number; up: number } {
    return this.#deps.wires.rates;
  }

  /** Bytes sent since the start. */
  get uploaded(): number {
    return this.#deps.wires.uploaded;
  }

  /** Takes over an admitted stream. One that has closed says so no more: its link would never leave. */
  connect(stream: Duplex, info: ConnectionInfo): void {
    this.#connections += 1;
    const id = `${info.device} ${this.#connections}`;
    const isTaken =
      !stream.destroyed && this.#deps.wires.connect(stream, id, (wire) => this.#begin(wire, stream, info));
    if (!isTaken) stream.destroy();
  }

  #begin(wire: PeerWire, stream: Duplex, info: ConnectionInfo): void {
    if (info.strangersId !== undefined) wire.nameOurselves(info.strangersId);
    const pieces = new PeerPieces(this.#count);
    const link = new PeerLink({
      ...info,
      stream,
      wire,
      geometry: { pieceCount: this.#count, pieceSize: (piece) => pieceSize(this.#deps.shape, piece) },
      buckets: this.#deps.buckets,
      giving: this.#giving,
      clock: this.#deps.clock,
      have: (piece) => this.has(piece),
      borrow: this.#deps.borrow,
      onBlock: (assembly) => this.#blockArrived(wire, assembly),
      onPieces: (bitfield) => this.#recount(wire, () => (bitfield === null ? pieces.fill() : pieces.replace(bitfield))),
      onHave: (piece) => this.#has(wire, piece),
      onChoking: () => this.#picker.peerLeft(wire.id),
      onFailure: (error) => this.#logEnd(info.device, error),
    });
    this.#join({ link, pieces, spent: null }, stream);
  }

  /** Bytes in the torrent's byte space; an empty range drops the reader. */
  setWindow(reader: string, from: number, to: number): void {
    const { pieceLength } = this.#deps.shape;
    const range: PieceRange =
      from < to ? { from: Math.floor(from / pieceLength), to: Math.ceil(to / pieceLength) } : { from: 0, to: 0 };
    if (this.#picker.setWindow(reader, range)) this.#cancelOutside();
    this.refresh();
  }

  /** Holds back all requests, for example while the disk is full. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.refresh();
  }

  /** Looks again at what to ask of every peer. */
  refresh(): void {
    if (!this.#deps.wires.isClosed) this.#deps.wires.askAll();
  }

  /** Once a second: what somebody gave back, by a choke or a reject, is asked of whoever has it. */
  tick(): void {
    const isWanting = !this.isComplete && !this.#held && this.wantsAnything;
    const links = this.links.map((link) => ({ link, wasBarren: link.isBarren }));
    for (const { link } of links) link.tick();
    for (const [device, own] of Map.groupBy(this.links, (link) => link.device)) {
      // It is not to blame for what our own limit holds back.
      this.#giving.tick(device, isWanting && !own.some((link) => link.isResting));
    }
    if (links.some(({ link, wasBarren }) => link.isBarren !== wasBarren)) this.#deps.onLinksChanged();
    if (!this.isComplete) this.refresh();
  }

  /** These pieces turned out not to be on the disk. */
  lost(pieces: readonly number[]): void {
    for (const piece of pieces) {
      if (!this.has(piece)) continue;
      this.#missing += 1;
      this.#bytesHave -= pieceSize(this.#deps.shape, piece);
      this.#deps.wires.lost(piece);
      this.#picker.lost(piece);
    }
    this.refresh();
  }

  disconnect(leaves: (link: Link) => boolean): void {
    for (const { link } of Array.from(this.#members.values())) if (leaves(link)) link.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disconnect(() => true);
    await this.#deps.wires.close();
  }

  #memberOf(link: Link): Member | undefined {
    return link instanceof PeerLink ? this.#members.get(link.wire) : undefined;
  }

  #recount(wire: PeerWire, change: () => void): void {
    const member = this.#members.get(wire);
    if (member === undefined) return;
    const { pieces } = member;
    member.spent = null;
    if (pieces.held > 0) this.#picker.countAll((piece) => pieces.has(piece), -1);
    change();
    this.#picker.countAll((piece) => pieces.has(piece), 1);
    this.#deps.onLinksChanged();
  }

  #has(wire: PeerWire, piece: number): void {
    const member = this.#members.get(wire);
    if (member === undefined || !member.pieces.add(piece)) return;
    member.spent = null;
    this.#picker.count(piece, 1);
  }

  #join(member: Member, stream: Duplex): void {
    const { link, pieces } = member;
    const { wire } = link;
    this.#members.set(wire, member);
    stream.once('close', () => {
      this.#members.delete(wire);
      this.#picker.countAll((piece) => pieces.has(piece), -1);
      this.#picker.peerLeft(link.id);
      const isParting = pieces.complete && this.isComplete;
      const wasWanted = link.ageMs > ESTABLISHED_MS || link.brokeInUse;
      if (!link.isLetGo && !link.isStranger && !isParting && wasWanted) this.#deps.onLost(link.device);
      this.#linksChanged();
      // What this one owed is asked of the others.
      this.refresh();
    });
    this.#linksChanged();
  }

  #linksChanged(): void {
    this.#deps.wires.slots = UPLOADS + this.links.filter(({ isStranger }) => isStranger).length;
    this.#deps.onLinksChanged();
  }

  #requestMore(member: Member): void {
    const { requests, wire } = member.link;
    requests.isReading = this.#picker.reading;
    if (wire.isClosed || wire.peerChoking || this.#held || !requests.isLow) return;
    if (this.#ask(member) && this.#takeLate(member)) this.#ask(member);
  }

  /** True when there is room for more, and nothing that the member holds is left to be asked for or may be begun. */
  #ask(member: Member): boolean {
    const { link, pieces } = member;
    const { requests } = link;
    const withFresh = member.spent !== this.#picker.returned;
    let mayBegin = true;
    const candidates = this.#picker.candidates(link.id, (index) => pieces.has(index), withFresh);
    for (const { piece, urgent, isFresh } of candidates) {
      if (isFresh && !mayBegin) return true;
      const assembly: Assembly | null = mayBegin ? this.#assemblies.begin(piece) : this.#assemblies.get(piece);
      mayBegin &&= assembly !== null;
      while (assembly !== null && requests.hasRoom) {
        if (urgent && !assembly.hasFree) this.#takeOver(piece, link);
        const range = assembly.reserve(requests.blockBytes);
        if (range === null) break;
        requests.ask(assembly, range);
        this.#picker.begun(piece, link.id);
      }
      if (!requests.hasRoom) return false;
    }
    if (mayBegin) member.spent = this.#picker.returned;
    return true;
  }

  /** What others are late with is taken back, for this one to be asked. False when there is no such thing. */
  #takeLate({ link, pieces }: Member): boolean {
    const { requests } = link;
    // It may never give: one block shows whether it does.
    const isUntried = requests.answerMs === 0;
    if (requests.isLate || (isUntried && requests.length > 0)) return false;
    const most = isUntried ? requests.blockBytes : requests.room;
    const lateMs = Math.max(LATE_MS, requests.answerMs * 2);
    const isWanted = (piece: number): boolean => pieces.has(piece) && this.#picker.wanted(piece);
    let bytes = 0;
    for (const { link: other } of this.#members.values()) {
      // What our own limit holds back would not come sooner from another one.
      if (other === link || other.isResting) continue;
      for (const { piece, length } of other.requests.takeBackLate(lateMs, most - bytes, isWanted)) {
        this.#picker.takenBack(piece);
        bytes += length;
      }
    }
    return bytes > 0;
  }

  /** A reader waits for the piece: what a slow peer owes of it is asked of this one. */
  #takeOver(piece: number, by: PeerLink): void {
    const speed = by.wire.rates.down;
    for (const { link } of this.#members.values()) {
      const theirs = link.wire.rates.down;
      if (link === by || theirs >= SLOW_BPS || theirs * 2 > speed) continue;
      link.requests.takeBack((block) => block.piece === piece);
    }
  }

  #blockArrived(wire: PeerWire, assembly: Assembly): void {
    if (assembly.isComplete) void this.#finish(assembly);
    const member = this.#members.get(wire);
    if (member !== undefined) this.#requestMore(member);
  }

  async #finish(assembly: Assembly): Promise<void> {
    const { wires, log } = this.#deps;
    const { piece } = assembly;
    this.#assemblies.completed(assembly);
    try {
      const isRight = await this.#deps.write(piece, assembly.bytes);
      if (wires.isClosed) return;
      if (isRight) this.#right(assembly);
      else this.#wrong(piece, Array.from(assembly.sources));
    } catch (error) {
      if (wires.isClosed) log.debug('a piece was not written any more', { piece });
      else this.#deps.onFailed(error);
    } finally {
      this.#assemblies.close(assembly);
      this.refresh();
    }
  }

  /** An expected failure is told without its cause, which may name a file. */
  #logEnd(device: DeviceKey, error: unknown): void {
    const { log } = this.#deps;
    if (error instanceof AppError) log.warn('connection ended', { device, code: error.code, reason: error.message });
    else log.error('connection broke', { device, error });
  }

  /** What was asked for before and is in the way of a reader, or wanted by nobody any more. */
  #cancelOutside(): void {
    for (const { link } of this.#members.values()) {
      link.requests.takeBack(({ piece }) => !this.#picker.inWindow(piece));
    }
  }

  #right({ piece, sources }: Assembly): void {
    const { wires } = this.#deps;
    for (const { link } of this.#members.values()) if (sources.has(link.device)) link.requests.prove();
    wires.verified(piece);
    this.#picker.verified(piece);
    this.#missing -= 1;
    this.#bytesHave += pieceSize(this.#deps.shape, piece);
    this.#deps.onVerified(piece);
    wires.announce(piece);
  }

  #wrong(piece: number, authors: readonly DeviceKey[]): void {
    this.#deps.log.warn('a piece failed its check', { piece });
    this.#picker.failed(piece);
    const [author, ...others] = authors;
    if (author !== undefined && others.length === 0) this.#deps.onBadPiece(author);
  }
}
