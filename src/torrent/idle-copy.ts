import { hasBit } from '../base/bitfield.ts';
import { errorCode } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import type { FileIdentity, TorrentState } from '../contract/swarm.ts';
import { readIdentity, sameIdentity } from './file-identity.ts';
import type { HeldTorrent } from './held-torrent.ts';
import { parseMetainfo, pieceCount } from './metainfo.ts';
import type { Link } from './link.ts';
import type { Appetite, Learnt, TorrentChange, TorrentSpec } from './torrent-spec.ts';
import { filesAreFixed, startBitfield } from './torrent-spec.ts';

export interface IdleCopyDeps {
  readonly spec: TorrentSpec;
  readonly onChange: (copy: IdleCopy, change: TorrentChange) => void;
  /** While it was in use. */
  readonly learnt?: Learnt;
}

/** What a look at the files of a copy found. */
export type Look = 'same' | 'changed' | 'missing';

/**
 * A full copy that nobody uses. It is listed, announced and called for, and costs no more than what is known of it:
 * whoever connects gets an `ActiveTorrent` in its place.
 */
export class IdleCopy implements HeldTorrent {
  readonly length: number;
  readonly bitfield: Uint8Array<ArrayBuffer>;
  readonly identities: FileIdentity[] | null;
  readonly links: readonly Link[] = [];
  readonly fullCopies: ReadonlySet<DeviceKey>;
  readonly #onChange: IdleCopyDeps['onChange'];
  #spec: TorrentSpec;
  #isMissing = false;

  private constructor(deps: IdleCopyDeps, length: number, bitfield: Uint8Array<ArrayBuffer>) {
    this.#spec = deps.spec;
    this.#onChange = deps.onChange;
    this.fullCopies = deps.learnt?.fullCopies ?? new Set();
    this.identities = deps.learnt?.identities ?? null;
    this.length = length;
    this.bitfield = bitfield;
  }

  /** null when pieces are missing or files may still be written. Fails with `invalid-torrent` or `bad-input`. */
  static of(deps: IdleCopyDeps): IdleCopy | null {
    const { metainfo, infoHash, segments } = deps.spec;
    const shape = parseMetainfo(metainfo, { infoHash, sha256: null });
    const count = pieceCount(shape);
    const bitfield = startBitfield(deps.spec, count);
    for (let piece = 0; piece < count; piece += 1) if (!hasBit(bitfield, piece)) return null;
    return filesAreFixed(segments) ? new IdleCopy(deps, shape.length, bitfield) : null;
  }

  get spec(): TorrentSpec {
    return this.#spec;
  }

  get bytesHave(): number {
    return this.length;
  }

  get serves(): boolean {
    return !this.#spec.paused && !this.#isMissing;
  }

  get isMissing(): boolean {
    return this.#isMissing;
  }

  get appetite(): Appetite {
    return this.serves ? 'lazy' : 'none';
  }

  get state(): TorrentState {
    const phase = this.#isMissing ? 'missing' : this.#spec.paused ? 'paused' : 'complete';
    const quiet = { downBps: 0, upBps: 0, peers: 0, seeds: 0 };
    return { infoHash: this.#spec.infoHash, state: phase, error: null, bytesHave: this.length, ...quiet };
  }

  get isAsTold(): boolean {
    return this.identities === null;
  }

  bytesOf(): number {
    return 0;
  }

  setPaused(paused: boolean): void {
    if (this.#spec.paused === paused) return;
    this.#spec = { ...this.#spec, paused };
    this.#onChange(this, { kind: 'state' });
  }

  setPriority(): void {
    // It fetches nothing any more.
  }

  setWindow(): void {
    // Everything is here.
  }

  /** Looks at every file without reading it; `pace` is awaited before each. */
  async look(pace: () => Promise<void>): Promise<Look> {
    for (const segment of this.#spec.segments) {
      if (segment.kind !== 'file' || segment.identity === null) continue;
      await pace();
      const found = await lookAt(segment.path, segment.identity);
      if (found !== 'same') return found;
    }
    return 'same';
  }

  setMissing(isMissing: boolean): void {
    if (this.#isMissing === isMissing) return;
    this.#isMissing = isMissing;
    this.#onChange(this, { kind: 'state' });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

async function lookAt(path: string, identity: FileIdentity): Promise<Look> {
  try {
    return sameIdentity(await readIdentity(path), identity) ? 'same' : 'changed';
  } catch (error) {
    // A disk that cannot say is asked again; whoever reads will see.
    return errorCode(error) === 'file-missing' ? 'missing' : 'same';
  }
}
