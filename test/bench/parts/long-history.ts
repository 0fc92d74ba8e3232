import type { SphereId } from '../../../src/base/id.ts';
import { Conversation } from '../../../src/spheres/conversation.ts';
import type { Person } from '../../fixtures/engine-world.ts';
import { openStopped } from './stopped-person.ts';

/** Lines of one transaction. */
const TOGETHER = 500;

/**
 * Writes lines into the database of a person whose engine is stopped, as if they had been said and had left: signed,
 * in the log, and sealed like any other.
 */
export async function addHistory(
  person: Pick<Person, 'profile' | 'jid'>,
  sphereId: SphereId,
  lines: { readonly count: number; readonly text: (number: number) => string },
): Promise<void> {
  using stopped = await openStopped(person);
  const { list, storage } = stopped;
  const sphere = list.get(sphereId);
  const messages = new Conversation({ list, storage });
  for (let from = 0; from < lines.count; from += TOGETHER) {
    list.together(sphere, () => {
      for (let number = from; number < Math.min(from + TOGETHER, lines.count); number += 1) {
        const id = messages.say(sphereId, lines.text(number));
        for (const row of storage.outbox.byEvent(id)) storage.outbox.remove(row.id);
        storage.messages.update(id, { state: 'sent' });
      }
    });
  }
}
