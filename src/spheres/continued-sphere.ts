import type { SphereId } from '../base/id.ts';
import type { SphereLog } from './protocol/sphere-log.ts';

/**
 * The sphere here that the one of this log goes on from. Both must say so, each in its own log: whoever founds a sphere
 * may name any other, and the address of one is no secret.
 */
export function continuedSphere<T extends { readonly log: Pick<SphereLog, 'continuation'> }>(
  list: { find(id: SphereId): T | undefined },
  { sphereId, continuation }: Pick<SphereLog, 'sphereId' | 'continuation'>,
): T | undefined {
  const from = continuation.continues === null ? undefined : list.find(continuation.continues);
  return from?.log.continuation.continued.has(sphereId) === true ? from : undefined;
}
