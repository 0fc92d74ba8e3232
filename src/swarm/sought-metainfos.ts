import type { Duplex } from 'node:stream';
import { AppError } from '../base/errors.ts';
import type { InfoHash, SphereId } from '../base/id.ts';
import { receiveMetainfo } from '../torrent/metainfo-exchange.ts';

interface Request {
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  readonly sha256: Uint8Array;
  readonly maxBytes: number;
}

interface Search extends Request {
  readonly bring: (metainfo: Uint8Array<ArrayBuffer>) => void;
}

/** What this device asks for at the moment, and what a member who cannot be called may bring. */
export class SoughtMetainfos {
  readonly #searches = new Set<Search>();

  has(sphereId: SphereId, infoHash: InfoHash): boolean {
    return this.#find(sphereId, infoHash) !== undefined;
  }

  /** Goes on until it is disposed. */
  seek(request: Request): Disposable & { readonly brought: Promise<Uint8Array<ArrayBuffer>> } {
    const { promise, resolve } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    const search = { ...request, bring: resolve };
    this.#searches.add(search);
    return { brought: promise, [Symbol.dispose]: () => void this.#searches.delete(search) };
  }

  /** Reads what an admitted member brings. Fails when it is not sought any more, or is another one. */
  async take(
    { sphereId, infoHash }: Pick<Request, 'sphereId' | 'infoHash'>,
    stream: Duplex,
    signal: AbortSignal,
  ): Promise<void> {
    const search = this.#find(sphereId, infoHash);
    if (search === undefined) throw new AppError('not-allowed', 'the metainfo is not sought');
    const metainfo = await receiveMetainfo(stream, search, signal);
    for (const one of this.#searches) {
      if (one.sphereId === sphereId && one.infoHash === infoHash) one.bring(metainfo);
    }
  }

  #find(sphereId: SphereId, infoHash: InfoHash): Search | undefined {
    return Array.from(this.#searches).find((one) => one.sphereId === sphereId && one.infoHash === infoHash);
  }
}
