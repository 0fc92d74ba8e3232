// Spherecast wire format, "Admission": purpose "wants"
import type { InfoHash, SphereId } from '../base/id.ts';
import { parseInfoHash } from '../base/id.ts';

/** What stands in the place of an infohash in a call that is for a whole sphere: the first 20 bytes of its id. */
export function sphereMark(sphereId: SphereId): InfoHash {
  return parseInfoHash(sphereId.slice(0, 40));
}
