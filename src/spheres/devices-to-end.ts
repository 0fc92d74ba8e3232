import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

type Settings = Pick<Storage, 'settings'>;

const WISHES = 'devices-to-end';
const WAITING = 'ends-waiting';
const AT_ONCE = 'devices-to-end-at-once';

/**
 * Devices of our person that are gone for good, by their word here, wherever that is known already; in a sphere with those
 * whose end waits there.
 */
export function devicesToEnd(storage: Settings, sphereId: SphereId | null = null): Set<DeviceKey> {
  const waiting = sphereId === null ? [] : Object.keys(waitingEnds(storage)[sphereId] ?? {});
  return new Set([...keysIn(storage, WISHES), ...(waiting as DeviceKey[])]);
}

/** Those of them that their person wants gone whatever of theirs is not here. */
export function devicesToEndAtOnce(storage: Settings): Set<DeviceKey> {
  return keysIn(storage, AT_ONCE);
}

export function noteDeviceToEnd(storage: Settings, device: DeviceKey, isAtOnce: boolean): void {
  for (const name of isAtOnce ? [WISHES, AT_ONCE] : [WISHES])
    storage.settings.set(name, [...keysIn(storage, name).add(device)]);
}

function keysIn({ settings }: Settings, name: string): Set<DeviceKey> {
  return new Set(settings.get(name, (value) => z.array(z.string()).parse(value) as DeviceKey[]));
}

/** Since when the ends of devices wait for what these said, in milliseconds of the clock, by sphere. */
type WaitingEnds = Readonly<Record<SphereId, Readonly<Record<DeviceKey, number>>>>;

export function waitingEnds({ settings }: Settings): WaitingEnds {
  const schema = z.record(z.string(), z.record(z.string(), z.number()));
  return settings.get(WAITING, (value) => schema.parse(value) as WaitingEnds) ?? {};
}

/** In this sphere the ends of these devices wait, and no others; since when the newest does. */
export function noteWaitingEnds(
  storage: Settings,
  sphereId: SphereId,
  devices: Iterable<DeviceKey>,
  nowMs: number,
): number {
  const { [sphereId]: known = {}, ...rest } = waitingEnds(storage);
  const noted = Object.fromEntries([...devices].map((device) => [device, upTo(nowMs, known[device])]));
  if (!isDeepStrictEqual(noted, known))
    storage.settings.set(WAITING, Object.keys(noted).length === 0 ? rest : { ...rest, [sphereId]: noted });
  return Math.max(...Object.values(noted), -Infinity);
}

/** A clock that was ahead must not keep an end waiting. */
function upTo(nowMs: number, sinceMs = nowMs): number {
  return Math.min(sinceMs, nowMs);
}
