import type { DeviceKey } from '../base/id.ts';
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

/** A slow server takes this long for as much as mail carries at once. */
const LEAVING_MS = 60_000;

/**
 * Whether a device's welcome is just leaving. Where anything for it alone stays longer nothing may ever leave, as when the
 * server hides the device's keys: then what we say ourselves waits for it too, always some of it new.
 */
export function isBeingWelcomed(storage: Storage, { id }: Sphere, device: DeviceKey, nowMs: number): boolean {
  const alone = storage.outbox.queued().filter((row) => {
    if (row.sphereId !== id) return false;
    const audience = parseAudience(row.audience);
    return audience.kind === 'device' && audience.device === device;
  });
  return alone.length > 0 && alone.every(({ atMs }) => Math.abs(nowMs - atMs) <= LEAVING_MS);
}
