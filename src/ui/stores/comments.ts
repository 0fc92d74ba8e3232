import { defineStore } from 'pinia';
import { reactive } from 'vue';
import type { EventId, SphereId } from '../../base/id.ts';
import type { ItemView, MessageView } from '../../contract/views.ts';
import { useEngine } from './engine.ts';
import { drop, upsert, useMessages } from './messages.ts';

/** What was said about the items that were looked at: lines of their conversations that answer them. */
export const useCommentLines = defineStore('comments', () => {
  const engine = useEngine();
  const messages = useMessages();
  /** By the line that they answer, oldest first. */
  const comments = reactive(new Map<string, MessageView[]>());

  /** What was typed and not said yet, by item: it outlives a look at another one. */
  const drafts = reactive(new Map<string, string>());

  /** Loads what was said about an item; the line that another comment answers. */
  async function open({ sphereId, id: itemId }: Pick<ItemView, 'sphereId' | 'id'>): Promise<EventId> {
    const { lineId, messages: lines } = await engine.call((client) => client.messages.comments({ sphereId, itemId }));
    comments.set(lineId, lines);
    return lineId;
  }

  /** Says something about an item; it stands in the chat as well. */
  async function say(sphereId: SphereId, replyTo: EventId, text: string): Promise<void> {
    const { message } = await engine.call((client) => client.messages.say({ sphereId, text, replyTo }));
    messages.applyMessage(message);
    apply(message);
  }

  function apply(message: MessageView): void {
    const lines = comments.get(message.replyTo?.id ?? '');
    if (lines !== undefined) upsert(lines, message);
  }

  function forget(messageId: string): void {
    for (const lines of comments.values()) drop(lines, messageId);
  }

  /** The next person at this page finds nothing of before. */
  function clear(): void {
    comments.clear();
    drafts.clear();
  }

  return { comments, drafts, open, say, apply, forget, clear };
});
