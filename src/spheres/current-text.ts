import { fromUtf8 } from '../base/bytes.ts';
import type { EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { KnownEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/** What a message says now: its last edit that is here, nothing once it is taken away. undefined: its text is not here. */
export function currentText(
  { log }: Pick<Sphere, 'log'>,
  { attachments }: Pick<Storage, 'attachments'>,
  event: KnownEvent<'message'>,
): string | undefined {
  if (log.annotations.retraction(event) !== undefined) return '';
  const textOf = (id: EventId): string | undefined => {
    const bytes = attachments.get(id, 'text');
    return bytes === undefined ? undefined : fromUtf8(bytes);
  };
  const edit = log.annotations.edit(event);
  return (edit === undefined ? undefined : textOf(edit.id)) ?? textOf(event.id);
}
