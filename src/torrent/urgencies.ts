import type { DeviceKey, InfoHash } from '../base/id.ts';
import type { Urgency } from './call-pace.ts';
import type { DialTorrent } from './due-call.ts';

/** For so long a device that fell away is called as if a person waited for it. */
const LOST_MS = 5 * 60_000;
/** The same for one that says that it fetches a torrent; saying so again changes nothing for a moment. */
const WANTED_MS = 60_000;
const WANTED_AGAIN_MS = 5_000;

/** How much a call to a device matters, also after it fell away or said that it fetches. */
export class Urgencies {
  /** Until when a device counts as lost, by torrent and device; monotonic. */
  readonly #lost = new Map<string, number>();
  /** Until when a device counts as fetching, by torrent and device. */
  readonly #wanted = new Map<string, number>();

  lost(infoHash: InfoHash, device: DeviceKey, nowMs: number): void {
    this.#lost.set(`${infoHash} ${device}`, nowMs + LOST_MS);
  }

  /** Whether it says so for the first time in a while. */
  wanted(infoHash: InfoHash, device: DeviceKey, nowMs: number): boolean {
    const key = `${infoHash} ${device}`;
    const untilMs = nowMs + WANTED_MS;
    if (untilMs - (this.#wanted.get(key) ?? 0) < WANTED_AGAIN_MS) return false;
    this.#wanted.set(key, untilMs);
    return true;
  }

  of({ infoHash, appetite, satisfied, suspects }: DialTorrent, device: DeviceKey, nowMs: number): Urgency {
    if (satisfied.has(device)) return 'better';
    const key = `${infoHash} ${device}`;
    if ((this.#lost.get(key) ?? 0) > nowMs || suspects.has(device)) return 'urgent';
    return appetite === 'eager' || (this.#wanted.get(key) ?? 0) > nowMs ? 'eager' : 'lazy';
  }

  expire(nowMs: number): void {
    for (const all of [this.#lost, this.#wanted]) {
      for (const [key, untilMs] of all) if (untilMs < nowMs) all.delete(key);
    }
  }

  forgetTorrent(infoHash: InfoHash): void {
    for (const all of [this.#lost, this.#wanted]) {
      for (const key of Array.from(all.keys())) if (key.startsWith(infoHash)) all.delete(key);
    }
  }
}
