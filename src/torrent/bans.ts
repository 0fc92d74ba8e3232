import type { DeviceKey } from '../base/id.ts';

const MOST_BAD_PIECES = 3;

/** Devices that sent wrong data; forgotten when the process ends. */
export class Bans {
  readonly #badPieces = new Map<DeviceKey, number>();

  /** Counts one piece that came from this device alone and failed its check; true when that was one too many. */
  badPiece(device: DeviceKey): boolean {
    const count = (this.#badPieces.get(device) ?? 0) + 1;
    this.#badPieces.set(device, count);
    return count === MOST_BAD_PIECES;
  }

  has(device: DeviceKey): boolean {
    return (this.#badPieces.get(device) ?? 0) >= MOST_BAD_PIECES;
  }
}
