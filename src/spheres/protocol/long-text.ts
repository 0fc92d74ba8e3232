import { MAX_PARTS } from '../../base/cut-text.ts';
import type { EventId } from '../../base/id.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import type { SphereLog } from './sphere-log.ts';

/** Texts up to here are one event: as its line they fit into a stanza beside the keys for as many devices as a sphere may have. */
export const MAX_PIECE_BYTES = 8 * 1024;

/** An event that says a text, which `part` events before it may begin. */
export type TextEvent = KnownEvent<'message' | 'edit'>;

interface Pieces {
  /** What comes before its own piece, in order; undefined = it is not here. */
  readonly parts: readonly (KnownEvent<'part'> | undefined)[];
  /** Whether they are here, and those that the text's author meant. */
  readonly isLinked: boolean;
}

type Line = Pick<SphereLog, 'get' | 'select'>;

export function saysText(event: SignedEvent | undefined): event is TextEvent {
  return event?.type === 'message' || event?.type === 'edit';
}

export function isLongText(event: SignedEvent | undefined): event is TextEvent {
  return saysText(event) && event.body.parts !== undefined;
}

/**
 * The parts of a text are the events of its device right before it: the hash of the event before, which each holds, makes them part
 * of what was signed. Beyond a gap what has the right number is taken for it until the gap is filled.
 */
export function piecesOf(log: Line, event: TextEvent): Pieces {
  const count = event.body.parts ?? 0;
  const { device, sequence } = event.header;
  const before = log.select({ ranges: [{ device, from: sequence - count, to: sequence - 1 }], ids: [] });
  const parts: (KnownEvent<'part'> | undefined)[] = [];
  let isLinked = true;
  for (let next: SignedEvent | undefined = event; parts.length < count;) {
    const number: number = sequence - parts.length - 1;
    const found: SignedEvent | undefined = before.find(({ id, header }) =>
      next === undefined ? header.sequence === number : id === next.header.previous,
    );
    const part = found?.type === 'part' ? found : undefined;
    isLinked &&= part !== undefined;
    parts.unshift(part);
    next = part;
  }
  return { parts, isLinked };
}

/** The texts that a part belongs to: more than one only where its device is forked. */
export function textsWith(log: Line, { id, header }: KnownEvent<'part'>): readonly TextEvent[] {
  const { device, sequence } = header;
  const range = { device, from: sequence + 1, to: sequence + MAX_PARTS };
  const behind = log.select({ ranges: [range], ids: [] });
  return behind.filter(saysText).filter((event) => piecesOf(log, event).parts.some((part) => part?.id === id));
}

/** All events that hold a text, or what is here of them. */
export function eventsOfText(log: Line, id: EventId): readonly EventId[] {
  const event = log.get(id);
  if (!saysText(event)) return [id];
  return [...piecesOf(log, event).parts.flatMap((part) => part?.id ?? []), id];
}
