import type { ItemId, SphereId } from '../base/id.ts';
import type { ItemEvent } from '../spheres/protocol/event.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';

/** The event of an item that is in force in the sphere; fails with `not-found`. */
export function requireInSphere(
  { holder }: Pick<AppCallsDeps, 'holder'>,
  sphereId: SphereId,
  itemId: ItemId,
): ItemEvent {
  const { list, source } = holder.session;
  return source.event(list.get(sphereId), itemId);
}
