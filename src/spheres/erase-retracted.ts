import type { EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { eventsOfText } from './protocol/long-text.ts';
import type { Sphere } from './sphere.ts';

/**
 * Erases texts that were taken away before a moment since which nobody puts them back, with all their earlier versions;
 * that they were there, and whose they were, stays. How many texts there were.
 */
export function eraseRetracted({ storage }: { readonly storage: Storage }, sphere: Sphere, before: number): number {
  const { annotations } = sphere.log;
  const ids = annotations.retracted().flatMap((target): EventId[] => {
    const event = sphere.log.get(target);
    const word = event === undefined ? undefined : annotations.retraction(event);
    // By the time it came to this computer: the author's clock may say anything.
    const cameMs = word === undefined ? undefined : storage.events.get(word.id)?.receivedAtMs;
    return cameMs === undefined || cameMs > before
      ? []
      : [target, ...annotations.editsOf(target)].flatMap((id) => eventsOfText(sphere.log, id));
  });
  const texts = ids.filter((id) => storage.attachments.has(id, 'text'));
  if (texts.length === 0) return 0;
  storage.transaction(() => {
    for (const id of texts) storage.attachments.remove(id, 'text');
  });
  return texts.length;
}
