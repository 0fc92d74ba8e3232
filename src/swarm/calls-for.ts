import type { HeldTorrent } from '../torrent/held-torrent.ts';
import type { DialTorrent } from '../torrent/dialer.ts';
import { FULLY, satisfiedBy } from '../torrent/satisfied.ts';
import { spheresOf } from '../torrent/torrent-spec.ts';

/** As what a torrent wants connections in each of its spheres; who is in several may have it in the former one only. */
export function* callsFor({ spec, links, fullCopies, appetite }: HeldTorrent): Generator<DialTorrent> {
  const { satisfied, suspects } = satisfiedBy(links);
  for (const device of fullCopies) satisfied.set(device, FULLY);
  for (const sphereId of spheresOf(spec)) {
    yield { sphereId, infoHash: spec.infoHash, purpose: 'swarm', appetite, satisfied, suspects };
  }
}
