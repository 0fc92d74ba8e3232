import type { DeviceKey } from '../base/id.ts';

/** How often a device was asked in vain, and when; monotonic. */
export interface Asked {
  readonly attempts: number;
  readonly notBeforeMs: number;
  readonly atMs: number;
}

export const NEVER_ASKED: Asked = { attempts: 0, notBeforeMs: 0, atMs: -1 };

/** In turn: who is asked first may not have it, or not be there any more. */
export function byTurn(a: Asked, b: Asked): number {
  return a.notBeforeMs - b.notBeforeMs || a.atMs - b.atMs;
}

/** All of them, at once, in the order of before. */
export function mayAskAgain(asked: Map<DeviceKey, Asked>): void {
  for (const [device, { atMs }] of asked) asked.set(device, { ...NEVER_ASKED, atMs });
}
