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

  /** What the next move takes to be the one that holds. */
  static nextNumber(newest: KnownEvent<'room'> | null): number {
    return newest === null ? 1 : numberOf(newest) + 1;
  }

  /** Events in force come in canonical order. */
  add(event: KnownEvent<'room'>, isOwners: boolean): void {
    const move = { event, isOwners };
    if (this.#current === null || isStronger(move, this.#current)) this.#current = move;
  }
}

/** Nobody has seen more moves than events: so none is so high that whoever knows of it could not write a higher one. */
function numberOf({ body, header }: KnownEvent<'room'>): number {
  return Math.min(body.number, header.lamport);
}

function isStronger(move: Move, current: Move): boolean {
  const ahead = numberOf(move.event) - numberOf(current.event);
  return ahead === 0 ? move.isOwners && !current.isOwners : ahead > 0;
}
