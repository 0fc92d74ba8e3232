import type { InfoHash, SphereId } from '../base/id.ts';
import type { Segment, SwarmEvent } from '../contract/swarm.ts';
import type { LimitsView, Priority } from '../contract/views.ts';
import { withIdentities } from '../torrent/torrent-spec.ts';

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
  /** Parts of it that were written, and that the disk may have refused. */
  readonly doubted?: { readonly from: number; readonly to: number }[];
  readonly priority?: Priority;
  readonly limits?: LimitsView;
  /** Of a torrent from elsewhere: the sphere whose limits hold for it. */
  readonly listedIn?: SphereId;
}

/** What a restarted process is to be told, after that one said this. */
export function afterEvent(spec: FedTorrent, event: Extract<SwarmEvent, { kind: 'have' | 'state' }>): FedTorrent {
  if (event.kind === 'have') {
    const { bitfield, identities } = event;
    return {
      ...spec,
      bitfield,
      ...(identities === null ? {} : { segments: withIdentities(spec.segments, identities) }),
    };
  }
  const { wanted } = spec;
  if (wanted === null || wanted === undefined) return spec;
  const { state, bytesHave } = event.torrent;
  if (state === 'partial') return { ...spec, synced: wanted, doubted: [] };
  const isRefused = (state === 'disk-full' || state === 'failed') && bytesHave >= bytesOf(wanted);
  return isRefused ? { ...spec, synced: [], doubted: wanted } : spec;
}

function bytesOf(parts: readonly { readonly from: number; readonly to: number }[]): number {
  return parts.reduce((bytes, { from, to }) => bytes + to - from, 0);
}
