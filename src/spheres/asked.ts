import type { DeviceKey } from '../base/id.ts';

/** How often a device was asked in vain, and when; monotonic. */
export interface Asked {
  readonly attempts: number;
  readonly notBeforeMs: number;
  readonly atMs: number;
  /** What for, where that may be something else next time. */
  readonly what?: string;
}

export const NEVER_ASKED: Asked = { attempts: 0, notBeforeMs: 0, atMs: -1 };

/** Who says in turn that something is lacking and that nothing is, is not asked each time. */
const AGAIN_MS = 600_000;
/** Who tells of something new each moment is not asked for it each moment. */
const NEWS_MS = 120_000;

/** How a device stands that may be asked for this: sooner than for what it was asked for in vain. */
export function askedFor(what: string, before: Asked = NEVER_ASKED): Asked {
  if (before.what === what) return before;
  return { ...before, notBeforeMs: Math.min(before.notBeforeMs, before.atMs + NEWS_MS) };
}

/** In turn: who is asked first may not have it, or not be there any more. */
export function byTurn(a: Asked, b: Asked): number {
  return a.notBeforeMs - b.notBeforeMs || a.atMs - b.atMs;
}

/** Those that are meant, at once, in the order of before. */
export function mayAskAgain(
  asked: Map<DeviceKey, Asked>,
  isMeant: (device: DeviceKey, before: Asked) => boolean = () => true,
): void {
  for (const [device, before] of asked) {
    if (isMeant(device, before)) asked.set(device, { ...NEVER_ASKED, atMs: before.atMs });
  }
}

/** One of them some minutes after it was asked last: it may have what it lacked before as well. */
export function mayAskSoon(asked: Map<DeviceKey, Asked>, device: DeviceKey): void {
  const before = asked.get(device);
  if (before === undefined) return;
  asked.set(device, { ...before, notBeforeMs: Math.min(before.notBeforeMs, before.atMs + AGAIN_MS) });
}
