import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

type Settings = Pick<Storage, 'settings'>;

const WISHES = 'devices-to-end';
const WAITING = 'ends-waiting';
const AT_ONCE = 'ends-at-once';

// Made once: they are asked for with every message, and making one takes longer than reading with it.
const keysSchema = z.array(z.string());
const atOnceSchema = z.record(z.string(), keysSchema);
const waitingSchema = z.record(z.string(), z.record(z.string(), z.number()));

/** Devices of our person that are gone for good, by their word here. */
export function endWishes(storage: Settings): ReadonlySet<DeviceKey> {
  return keysIn(storage, WISHES);
}

/** The same with those whose end waits in any sphere: nobody of them gets anything new. */
export function devicesToEnd(storage: Settings): ReadonlySet<DeviceKey> {
  const waiting = Object.values(waitingEnds(storage)).flatMap((ends) => Object.keys(ends) as DeviceKey[]);
  return new Set([...endWishes(storage), ...waiting]);
}

/** Whose end in a sphere does not wait for what is not here, by word of their person. */
export function endsAtOnce(storage: Settings, sphereId: SphereId): ReadonlySet<DeviceKey> {
  return new Set(allAtOnce(storage)[sphereId]);
}

/** `atOnceIn`: the spheres that the person was told of, and no later ones. */
export function noteDeviceToEnd(storage: Settings, device: DeviceKey, atOnceIn: readonly SphereId[]): void {
  storage.settings.set(WISHES, [...keysIn(storage, WISHES).add(device)]);
  const known = allAtOnce(storage);
  const added = atOnceIn.map((id) => [id, [...new Set(known[id]).add(device)]]);
  if (added.length > 0) storage.settings.set(AT_ONCE, { ...known, ...Object.fromEntries(added) });
}

function allAtOnce({ settings }: Settings): Readonly<Record<SphereId, readonly DeviceKey[]>> {
  return settings.get(AT_ONCE, (value) => atOnceSchema.parse(value) as Record<SphereId, DeviceKey[]>) ?? {};
}

function keysIn({ settings }: Settings, name: string): Set<DeviceKey> {
  return new Set(settings.get(name, (value) => keysSchema.parse(value) as DeviceKey[]));
}

/** Since when the ends of devices wait for what these said, in milliseconds of the clock, by sphere. */
type WaitingEnds = Readonly<Record<SphereId, Readonly<Record<DeviceKey, number>>>>;

export function waitingEnds({ settings }: Settings): WaitingEnds {
  return settings.get(WAITING, (value) => waitingSchema.parse(value) as WaitingEnds) ?? {};
}

/** In this sphere the ends of these devices wait, and no others; since when each does. */
export function noteWaitingEnds(
  storage: Settings,
  sphereId: SphereId,
  devices: Iterable<DeviceKey>,
  nowMs: number,
): Readonly<Record<DeviceKey, number>> {
  const { [sphereId]: known = {}, ...rest } = waitingEnds(storage);
  const noted = Object.fromEntries([...devices].map((device) => [device, upTo(nowMs, known[device])]));
  if (!isDeepStrictEqual(noted, known))
    storage.settings.set(WAITING, Object.keys(noted).length === 0 ? rest : { ...rest, [sphereId]: noted });
  return noted;
}

/** A clock that was ahead must not keep an end waiting. */
function upTo(nowMs: number, sinceMs = nowMs): number {
  return Math.min(sinceMs, nowMs);
}
