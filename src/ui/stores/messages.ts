import { defineStore } from 'pinia';
import { reactive } from 'vue';
import type { EventId, SphereId } from '../../base/id.ts';
import type { MessageView } from '../../contract/views.ts';
import { useEngine } from './engine.ts';

export interface Conversation {
  /** Oldest first. */
  messages: MessageView[];
  state: 'loading' | 'ready' | 'failed';
  /** The first message of the sphere is among them. */
  complete: boolean;
}

const PAGE = 60;

function upsert(messages: MessageView[], message: MessageView): void {
  const index = messages.findIndex((known) => known.id === message.id);
  if (index >= 0) {
    messages[index] = message;
    return;
  }
  // Almost always the newest; a line that arrives late goes to its place in time.
  let place = messages.length;
  while (place > 0 && (messages[place - 1]?.atMs ?? 0) > message.atMs) place -= 1;
  messages.splice(place, 0, message);
}

/** The conversations of the spheres that were opened, loaded from the newest page backwards. */
export const useMessages = defineStore('messages', () => {
  const engine = useEngine();
  const conversations = reactive(new Map<string, Conversation>());
  /** Text that was typed and not yet said, by sphere. */
  const drafts = reactive(new Map<string, string>());

  const fetchPage = (sphereId: SphereId, before?: EventId): Promise<{ messages: MessageView[] }> =>
    engine.call((client) =>
      client.messages.list({ sphereId, limit: PAGE, ...(before === undefined ? {} : { before }) }),
    );

  /** Loads the newest page; what is known already stays. */
  async function open(sphereId: SphereId): Promise<void> {
    if (!conversations.has(sphereId)) {
      conversations.set(sphereId, { messages: [], state: 'loading', complete: false });
    }
    const conversation = conversations.get(sphereId);
    if (conversation === undefined) return;
    try {
      const page = await fetchPage(sphereId);
      const known = new Set(conversation.messages.map((message) => message.id));
      // A full page that touches nothing we hold leaves a gap: begin again from the newest.
      const gap = page.messages.length === PAGE && known.size > 0 && !page.messages.some(({ id }) => known.has(id));
      if (gap) conversation.messages.splice(0);
      for (const message of page.messages) upsert(conversation.messages, message);
      if (page.messages.length < PAGE) conversation.complete = true;
      else if (gap || known.size === 0) conversation.complete = false;
      conversation.state = 'ready';
    } catch (error) {
      if (conversation.messages.length === 0) conversation.state = 'failed';
      throw error;
    }
  }

  /** Loads the page before the oldest message. Returns how many came. */
  async function older(sphereId: SphereId): Promise<number> {
    const conversation = conversations.get(sphereId);
    const oldest = conversation?.messages[0];
    if (conversation === undefined || oldest === undefined || conversation.complete) return 0;
    const page = await fetchPage(sphereId, oldest.id);
    for (const message of page.messages) upsert(conversation.messages, message);
    conversation.complete = page.messages.length < PAGE;
    return page.messages.length;
  }

  /** Says `text`; resolves when it is safely kept, not when others have it. */
  async function say(sphereId: SphereId, text: string): Promise<void> {
    const { message } = await engine.call((client) => client.messages.say({ sphereId, text }));
    applyMessage(message);
  }

  function applyMessage(message: MessageView): void {
    const conversation = conversations.get(message.sphereId);
    if (conversation !== undefined) upsert(conversation.messages, message);
  }

  /** A sphere is no longer ours to see, as after signing out: the next person at this page finds nothing of it. */
  function forgetSphere(sphereId: string): void {
    conversations.delete(sphereId);
    drafts.delete(sphereId);
  }

  /** Forgets all spheres but these. */
  function keepOnly(sphereIds: ReadonlySet<string>): void {
    for (const known of [...conversations.keys(), ...drafts.keys()]) if (!sphereIds.has(known)) forgetSphere(known);
  }

  /** After a new connection: brings every opened conversation up to date. */
  async function refresh(): Promise<void> {
    await Promise.all(Array.from(conversations.keys(), (id) => open(id as SphereId)));
  }

  return { conversations, drafts, open, older, say, applyMessage, forgetSphere, keepOnly, refresh };
});
