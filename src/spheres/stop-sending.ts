import type { BareJid, SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { SphereChange } from './effects.ts';

/**
 * A sphere that we left: nothing more of it goes out but what tells our other computers so, and lines that did not are
 * told so to their author.
 */
export function stopSending(storage: Storage, sphereId: SphereId, own: BareJid): SphereChange[] {
  const changes: SphereChange[] = [];
  const rows = storage.outbox.list('queued').filter((row) => row.sphereId === sphereId && row.to !== own);
  for (const { id, eventId, line } of rows) {
    if (line !== null && storage.messages.get(eventId)?.state === 'queued') {
      storage.outbox.update(id, { state: 'failed' });
      storage.messages.update(eventId, { state: 'failed', failure: 'not-a-member' });
      changes.push({ kind: 'message', id: eventId });
    } else storage.outbox.remove(id);
  }
  return changes;
}
