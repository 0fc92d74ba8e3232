import type { SphereLog } from './protocol/sphere-log.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/**
 * The sphere here that the one of this log goes on from. Both must say so, each in its own log: whoever founds a sphere
 * may name any other, and the address of one is no secret.
 */
export function continuedSphere(
  list: Pick<SphereList, 'find'>,
  { sphereId, continuation }: Pick<SphereLog, 'sphereId' | 'continuation'>,
): Sphere | undefined {
  const from = continuation.continues === null ? undefined : list.find(continuation.continues);
  return from?.log.continuation.continued.has(sphereId) === true ? from : undefined;
}
