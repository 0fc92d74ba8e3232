import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { MissingRange } from './protocol/gaps.ts';

type Settings = Pick<Storage, 'settings'>;

const WISHES = 'devices-to-end';
const WAITING = 'ends-waiting';
const IN_VAIN = 'ends-asked-in-vain';

/**
 * Devices of our person that are gone for good, by their word here, wherever that is known already; in a sphere with those
 * whose end waits there.
 */
export function devicesToEnd(storage: Settings, sphereId: SphereId | null = null): Set<DeviceKey> {
  const wishes = storage.settings.get(WISHES, (value) => z.array(z.string()).parse(value) as DeviceKey[]) ?? [];
  const waiting = sphereId === null ? [] : Object.keys(waitingEnds(storage)[sphereId] ?? {});
  return new Set([...wishes, ...(waiting as DeviceKey[])]);
}

export function noteDeviceToEnd(storage: Settings, device: DeviceKey): void {
  storage.settings.set(WISHES, [...devicesToEnd(storage).add(device)]);
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

/** Of what is lacking in a sphere the first event, since when it is that, and how long somebody was there meanwhile. */
interface AskedInVain {
  readonly device: DeviceKey;
  readonly sequence: number;
  readonly sinceMs: number;
  readonly presentMs: number;
}

/** As long as the first event is lacking, others that are lacking too make no difference. */
export function noteAskedInVain(
  { settings }: Settings,
  sphereId: SphereId,
  ranges: readonly MissingRange[],
  { nowMs, presentMs }: { readonly nowMs: number; readonly presentMs: number },
): AskedInVain {
  const schema = z.record(
    z.string(),
    z.object({ device: z.string(), sequence: z.number(), sinceMs: z.number(), presentMs: z.number() }),
  );
  const all = (settings.get(IN_VAIN, (value) => schema.parse(value)) ?? {}) as Readonly<Record<string, AskedInVain>>;
  const known = all[sphereId];
  const isLacking = ({ device, from, to }: MissingRange): boolean =>
    device === known?.device && from <= known.sequence && known.sequence <= to;
  const [first] = ranges.toSorted((a, b) => a.from - b.from);
  const start = {
    device: first?.device ?? ('' as DeviceKey),
    sequence: first?.from ?? 0,
    sinceMs: nowMs,
    presentMs: 0,
  };
  const before = known !== undefined && ranges.some(isLacking) ? known : start;
  const noted = { ...before, sinceMs: upTo(nowMs, before.sinceMs), presentMs: before.presentMs + presentMs };
  if (!isDeepStrictEqual(noted, known)) settings.set(IN_VAIN, { ...all, [sphereId]: noted });
  return noted;
}

/** A clock that was ahead must not keep an end waiting. */
function upTo(nowMs: number, sinceMs = nowMs): number {
  return Math.min(sinceMs, nowMs);
}
