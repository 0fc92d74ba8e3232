import { createHash } from 'node:crypto';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { type EventId, parseEventId } from '../base/id.ts';
import type { DirectLine } from '../spheres/direct-talk.ts';
import type { IncomingMessage, LineMarks } from '../spheres/incoming-message.ts';
import type { Storage } from '../storage/storage.ts';
import type { TalkPartRow } from '../storage/talk-part-table.ts';
import type { LinePart } from './line-part.ts';

interface LongLinesDeps {
  readonly storage: Pick<Storage, 'talkParts'>;
  readonly clock: Clock;
}

interface Piece {
  readonly text: string;
  readonly id: string | null;
  readonly marks: LineMarks | null;
}

/** What is here of a long line once a piece of it has come. */
export interface LongLine {
  readonly id: EventId;
  /** As if it had come at once, with the id of its last piece. */
  readonly message: IncomingMessage;
  /** Where a piece is missing stands a line with three dots. */
  readonly text: string;
  readonly isWhole: boolean;
}

/** So long it is known which lines were here whole, and kept what belongs to a change that is not. */
const KEPT_MS = 30 * 86_400_000;

/** Puts together what is too long for one message. What came is never hidden because something else has not. */
export class LongLines {
  readonly #deps: LongLinesDeps;

  constructor(deps: LongLinesDeps) {
    this.#deps = deps;
  }

  /** Within the caller's transaction. `known`: all of it was here before, and this piece came again. */
  take(message: IncomingMessage, line: DirectLine, part: LinePart): LongLine | { readonly known: EventId } {
    const { storage, clock } = this.#deps;
    const { talkParts } = storage;
    const { number, count } = part;
    const id = idOf(message, line, part);
    const atMs = clock.now();
    talkParts.removeBefore(atMs - KEPT_MS);
    if (talkParts.isClosed(id)) return { known: id };
    const piece: Piece = { text: line.text, id: message.id, marks: message.marks ?? null };
    talkParts.put({ line: id, number, count, atMs, piece: JSON.stringify(piece) });
    const rows = talkParts.list(id);
    const pieces = Array.from({ length: count }, (_, at) => pieceOf(rows.find((row) => row.number === at)));
    const isWhole = pieces.every((one) => one !== undefined);
    if (isWhole) talkParts.close(id, atMs);
    const marks = marksOf(message, pieces, part);
    const whole = { ...message, id: nameOf(message, part), ...(marks === undefined ? {} : { marks }) };
    return { id, message: whole, text: joined(pieces), isWhole };
  }
}

/** Of one author's device, whom nobody else can add a piece to. */
function idOf({ from, peer }: IncomingMessage, { identityKey }: DirectLine, { of, count }: LinePart): EventId {
  const author = identityKey === null ? '' : toHex(identityKey);
  const parts = ['spherecast-long-line-v1', from, peer ?? '', author, of, count];
  return parseEventId(createHash('sha256').update(JSON.stringify(parts)).digest('hex'));
}

/** The id of the last piece is that of the line; the others' have their number behind it. */
function nameOf({ id }: IncomingMessage, { number, count }: LinePart): string | null {
  const end = `-${number}`;
  if (id === null || number === count - 1) return id;
  return id.endsWith(end) ? id.slice(0, -end.length) : null;
}

/** The first piece says what the line is about, the last one what its author wants to hear of it. */
function marksOf(
  { marks }: IncomingMessage,
  pieces: readonly (Piece | undefined)[],
  { isChange }: LinePart,
): LineMarks | undefined {
  const [first, last] = [pieces[0]?.marks, pieces.at(-1)?.marks];
  if (marks === undefined) return undefined;
  const { corrects = null, answers = null, quote = null } = first ?? {};
  const { receipt = null, isMarkable = false } = last ?? {};
  const about = { retracts: null, isSigns: false, corrects: isChange ? corrects : null, answers, quote };
  return { ...marks, ...about, receipt, isMarkable };
}

function pieceOf(row: TalkPartRow | undefined): Piece | undefined {
  return row?.piece === undefined || row.piece === null ? undefined : (JSON.parse(row.piece) as Piece);
}

function joined(pieces: readonly (Piece | undefined)[]): string {
  const end = pieces.findLastIndex((piece) => piece !== undefined);
  return pieces
    .slice(0, end + 1)
    .map((piece) => piece?.text ?? '\n…\n')
    .join('');
}
