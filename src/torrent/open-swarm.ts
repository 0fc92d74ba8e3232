import type { TorrentClient } from './client.ts';
import type { Metainfo } from './metainfo.ts';
import type { PieceSwarm, PieceSwarmDeps } from './piece-swarm.ts';
import { StockSwarm } from './stock-swarm.ts';
import { TorrentSwarm } from './torrent-swarm.ts';

export interface OpenSwarmDeps extends Omit<PieceSwarmDeps, 'shape'> {
  readonly client: TorrentClient;
  readonly metainfo: Metainfo;
  /** Pieces on the disk, in BEP 3 bit order; spare bits zero. */
  readonly bitfield: Uint8Array;
}

/** The swarm of one torrent, in the lane that the self-check found usable. Fails with `transfer-unsafe`. */
export async function openSwarm({ client, metainfo, bitfield, ...deps }: OpenSwarmDeps): Promise<PieceSwarm> {
  const common = { ...deps, shape: metainfo };
  if ((await client.load()) === 'stock') return new StockSwarm({ ...common, client, metainfo, bitfield });
  return new TorrentSwarm({ ...common, wires: await client.add({ metainfo, bitfield }) });
}
