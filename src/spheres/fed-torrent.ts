import type { InfoHash, SphereId } from '../base/id.ts';
import type { Segment } from '../contract/swarm.ts';
import type { LimitsView, Priority } from '../contract/views.ts';

/** One torrent the swarm must hold for as long as we want it. */
export interface FedTorrent {
  /** null = a torrent from elsewhere, which strangers take part in. */
  readonly sphereId: SphereId | null;
  readonly alsoIn?: SphereId[];
  readonly infoHash: InfoHash;
  readonly metainfo: Uint8Array;
  readonly mediaKey: Uint8Array | null;
  readonly segments: Segment[];
  readonly bitfield: Uint8Array | null;
  readonly paused: boolean;
  readonly background: boolean;
  /** Parts of the byte space that are fetched; null or left out = everything. */
  readonly wanted?: { readonly from: number; readonly to: number }[] | null;
  /** Parts of it that are on the disk for good. */
  readonly synced?: { readonly from: number; readonly to: number }[];
  readonly priority?: Priority;
  readonly limits?: LimitsView;
  /** Of a torrent from elsewhere: the sphere whose limits hold for it. */
  readonly listedIn?: SphereId;
}
