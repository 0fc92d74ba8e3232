import { fromUtf8 } from '../base/bytes.ts';
import type { Storage } from '../storage/storage.ts';
import type { KnownEvent } from './protocol/event.ts';
import type { TextEvent } from './protocol/long-text.ts';
import { piecesOf } from './protocol/long-text.ts';
import type { Sphere } from './sphere.ts';

type Log = Pick<Sphere, 'log'>;
type Beside = Pick<Storage, 'attachments'>;

/** What a message says now: its last edit that is here, nothing once it is taken away. undefined: its text is not here. */
export function currentText(sphere: Log, beside: Beside, event: KnownEvent<'message'>): string | undefined {
  if (sphere.log.annotations.retraction(event) !== undefined) return '';
  const edit = sphere.log.annotations.edit(event);
  // Until all of the other words is here the ones before them hold.
  const isEdited = edit !== undefined && isWhole(sphere, beside, edit);
  return textOf(sphere, beside, isEdited ? edit : event);
}

/** Whether only the beginning of what a message says is here. */
export function isArriving({ log }: Log, beside: Beside, event: KnownEvent<'message'>): boolean {
  const { annotations } = log;
  if (event.body.parts === undefined || annotations.retraction(event) !== undefined) return false;
  const edit = annotations.edit(event);
  return (edit === undefined || !isWhole({ log }, beside, edit)) && !isWhole({ log }, beside, event);
}

function isWhole({ log }: Log, { attachments }: Beside, event: TextEvent): boolean {
  const { parts, isLinked } = piecesOf(log, event);
  return isLinked && [...parts, event].every((one) => one !== undefined && attachments.has(one.id, 'text'));
}

/** As far as it is here without a gap. */
function textOf({ log }: Log, { attachments }: Beside, event: TextEvent): string | undefined {
  const { parts } = piecesOf(log, event);
  const pieces = [...parts, event].map((one) => {
    const bytes = one === undefined ? undefined : attachments.get(one.id, 'text');
    return bytes === undefined ? undefined : fromUtf8(bytes);
  });
  if (pieces.every((piece) => piece === undefined)) return undefined;
  const gap = pieces.indexOf(undefined);
  return (gap === -1 ? pieces : pieces.slice(0, gap)).join('');
}
