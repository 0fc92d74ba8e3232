import type { KnownEvent } from './event.ts';

interface Move {
  readonly event: KnownEvent<'room'>;
  readonly isOwners: boolean;
}

/** Where a sphere moved. Two may move it at the same time: the highest number holds, then the owner's, then the first. */
export class MovedRooms {
  #current: Move | null = null;

  get newest(): KnownEvent<'room'> | null {
    return this.#current?.event ?? null;
  }

  /** Events in force come in canonical order. */
  add(event: KnownEvent<'room'>, isOwners: boolean): void {
    const move = { event, isOwners };
    if (this.#current === null || isStronger(move, this.#current)) this.#current = move;
  }
}

function isStronger(move: Move, current: Move): boolean {
  const ahead = move.event.body.number - current.event.body.number;
  return ahead === 0 ? move.isOwners && !current.isOwners : ahead > 0;
}
