import type { EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { isArriving } from './current-text.ts';
import { historyFor } from './history.ts';
import type { TextEvent } from './protocol/long-text.ts';
import { eventsOfText, isLongText } from './protocol/long-text.ts';
import type { Sphere } from './sphere.ts';

type Beside = Pick<Storage, 'attachments'>;

/**
 * Events of long texts that are here without their words, while other words of the same text are. A text of which nothing is here at all
 * is not ours to read, or was taken back before it left.
 */
export function lackingTexts(sphere: Sphere, storage: Beside): readonly EventId[] {
  const history = historyFor(sphere, sphere.person);
  return sphere.log
    .events()
    .filter(isLongText)
    .filter((event) => sphere.log.verdict(event.id)?.kind === 'accepted' && history.isOpen(event))
    .flatMap((event) => {
      const all = eventsOfText(sphere.log, event.id);
      const lacking = all.filter((id) => !storage.attachments.has(id, 'text'));
      const isBegun = lacking.length > 0 && lacking.length < all.length;
      return isBegun && isInForce(sphere, storage, event) ? lacking : [];
    });
}

/** Whether anybody looks at it: it is neither taken away nor has other words. */
function isInForce(sphere: Sphere, storage: Beside, event: TextEvent): boolean {
  const { log } = sphere;
  const target = event.type === 'edit' ? log.get(event.body.target) : event;
  if (target?.type !== 'message' || log.annotations.retraction(target) !== undefined) return false;
  if (event.type === 'edit') return log.annotations.edit(target)?.id === event.id;
  return isArriving(sphere, storage, target);
}
