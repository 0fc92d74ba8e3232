import type { Storage } from '../storage/storage.ts';
import type { Audience } from './audience.ts';
import { parseAudience } from './audience.ts';
import type { Sphere } from './sphere.ts';

type KnownAudience = Extract<Audience, { kind: 'known' }>;

/**
 * Whether something of a sphere that was given to these devices before has not left yet. What is for another one of the
 * same account keeps nothing back: that computer may never be reached again.
 */
export function isOnItsWay(storage: Storage, { id }: Sphere, { jid, devices }: KnownAudience): boolean {
  const keys = new Set(devices.map(({ identityKey }) => identityKey));
  return storage.outbox.queued().some((row) => {
    if (row.to !== jid || row.sphereId !== id) return false;
    const audience = parseAudience(row.audience);
    return audience.kind === 'known' && audience.devices.some(({ identityKey }) => keys.has(identityKey));
  });
}
