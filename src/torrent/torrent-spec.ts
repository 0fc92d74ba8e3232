import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { FileIdentity, Segment, TorrentState } from '../contract/swarm.ts';
import type { LimitsView, Priority } from '../contract/views.ts';
import type { ByteRange } from './byte-space.ts';
import type { TorrentClient } from './client.ts';
import type { FilePool } from './file-pool.ts';
import type { Metainfo, TorrentShape } from './metainfo.ts';
import { pieceCount } from './metainfo.ts';
import type { Buckets } from './peer-link.ts';
import type { PieceRange } from './piece-range.ts';
import type { PieceTools } from './seal-piece.ts';

/** What the process is told of any torrent. */
export interface HeldSpec {
  readonly infoHash: InfoHash;
  readonly metainfo: Uint8Array;
  readonly mediaKey: Uint8Array | null;
  readonly segments: readonly Segment[];
  /** null = nothing is on the disk. */
  readonly bitfield: Uint8Array | null;
  readonly paused: boolean;
  readonly background: boolean;
  /** With `background`: only these parts of the byte space, `to` exclusive; null or left out = everything. */
  readonly wanted?: readonly ByteRange[] | null;
  /** Parts that an earlier run put on the disk for good; none is known when left out. */
  readonly synced?: readonly ByteRange[];
  /** Parts that an earlier run wrote, and that the disk may have refused; none is known when left out. */
  readonly doubted?: readonly ByteRange[];
  /** `normal` when left out. */
  readonly priority?: Priority;
  /** Of this item alone; none when left out. */
  readonly limits?: LimitsView;
}

/** A torrent of a sphere. */
export interface TorrentSpec extends HeldSpec {
  readonly sphereId: SphereId;
  /** Spheres that this one goes on with; none when left out. */
  readonly alsoIn?: readonly SphereId[];
}

/** Where members may connect for it, the sphere that it belongs to first. */
export function spheresOf({ sphereId, alsoIn = [] }: Pick<TorrentSpec, 'sphereId' | 'alsoIn'>): SphereId[] {
  return [sphereId, ...alsoIn];
}

/** What this process has learnt of a full copy. */
export interface Learnt {
  /** Devices known to hold everything. */
  readonly fullCopies: ReadonlySet<DeviceKey>;
  /** What the files are since it was completed; null = they are as the spec says. */
  readonly identities: FileIdentity[] | null;
}

/** `Torrent` is the one that changes. */
export interface ActiveTorrentDeps<Torrent, Spec extends HeldSpec = TorrentSpec> {
  readonly spec: Spec;
  /** What the metainfo says, where it is not that of a sphere. */
  readonly metainfo?: Metainfo;
  /** What was learnt of it before. */
  readonly learnt?: Learnt;
  readonly client: TorrentClient;
  readonly files: FilePool;
  readonly pieces: PieceTools;
  readonly buckets: Buckets;
  readonly clock: Clock;
  /** Between two looks at the files of a torrent that is well. */
  readonly checkMs: () => number;
  readonly random: () => number;
  readonly log: Logger;
  readonly onChange: (torrent: Torrent, change: TorrentChange) => void;
  readonly onBadPiece: (device: DeviceKey) => void;
  /** What is told of a public one beside its state. */
  readonly more?: () => Pick<TorrentState, 'foundBy'>;
}

/** `written`: every piece that is to come is here, of which nobody knows yet whether it is on the disk for good; `complete` carries what the files are from now on. */
export type TorrentChange =
  | { readonly kind: 'have' }
  | { readonly kind: 'written' }
  | { readonly kind: 'state' }
  | { readonly kind: 'peers' }
  | { readonly kind: 'lost'; readonly device: DeviceKey }
  | { readonly kind: 'complete'; readonly identities: FileIdentity[] };

/** How much a torrent wants connections: a download asks for them, a full copy only offers itself. */
export type Appetite = 'eager' | 'lazy' | 'none';

/** The pieces that the spec says are on the disk, in the exact form of BEP 3. Fails with `bad-input`. */
export function startBitfield({ bitfield }: Pick<HeldSpec, 'bitfield'>, pieces: number): Uint8Array<ArrayBuffer> {
  const bytes = Math.ceil(pieces / 8);
  if (bitfield === null) return new Uint8Array(bytes);
  if (bitfield.length !== bytes) {
    throw new AppError('bad-input', 'bitfield has the wrong length', { bytes: bitfield.length });
  }
  const trimmed = Uint8Array.from(bitfield);
  // BEP 3: spare bits are zero.
  trimmed[bytes - 1] = (trimmed[bytes - 1] ?? 0) & (0xff << (bytes * 8 - pieces));
  return trimmed;
}

/** The pieces that are fetched without any window: null = all of them. Neighbouring ranges become one. */
export function backgroundOf(
  { background, wanted = null }: Pick<HeldSpec, 'background' | 'wanted'>,
  shape: Pick<TorrentShape, 'length' | 'pieceLength'>,
): PieceRange[] | null {
  if (!background) return [];
  if (wanted === null) return null;
  const ranges: PieceRange[] = [];
  const asPieces = wanted.map(({ from, to }) => {
    return {
      from: Math.floor(from / shape.pieceLength),
      to: Math.ceil(Math.min(to, shape.length) / shape.pieceLength),
    };
  });
  for (const range of asPieces.filter(({ from, to }) => from < to).toSorted((a, b) => a.from - b.from)) {
    const last = ranges.at(-1);
    if (last === undefined || range.from > last.to) ranges.push(range);
    else ranges[ranges.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
  }
  return ranges;
}

/** The pieces of which the torrent consists for whoever wants it: all, or those of parts of it. */
export function piecesToCome({ wanted }: Pick<HeldSpec, 'wanted'>, shape: TorrentShape): number[] {
  const ranges = backgroundOf({ background: true, wanted: wanted ?? null }, shape) ?? [
    { from: 0, to: pieceCount(shape) },
  ];
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index));
}

/** `identities` are in the order of the file segments; those that are left over keep what they have. */
export function withIdentities(segments: readonly Segment[], identities: readonly FileIdentity[]): Segment[] {
  let next = 0;
  return segments.map((segment) => {
    if (segment.kind !== 'file') return segment;
    const identity = identities[next] ?? segment.identity;
    next += 1;
    return { ...segment, identity };
  });
}

/** Whether every file is what it was when it was shared or completed, and is never written again. */
export function filesAreFixed(segments: readonly Segment[]): boolean {
  return segments.every((segment) => segment.kind !== 'file' || segment.identity !== null);
}
