import { defineStore } from 'pinia';
import { reactive } from 'vue';
import type { EventId, SphereId } from '../../base/id.ts';
import type { MessageView } from '../../contract/views.ts';
import type { EngineClient } from '../connection/engine-client.ts';
import { useEngine } from './engine.ts';
import type { Turn } from './turns.ts';

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
  // Almost always the newest; what is told again later goes to its place.
  let place = messages.length;
  while (place > 0 && (messages[place - 1]?.order ?? '') > message.order) place -= 1;
  messages.splice(place, 0, message);
}

/** The sphere's conversation, begun when it was not open yet. */
function begun(conversations: Map<string, Conversation>, sphereId: string): Conversation {
  const known = conversations.get(sphereId);
  if (known !== undefined) return known;
  conversations.set(sphereId, { messages: [], state: 'loading', complete: false });
  return begun(conversations, sphereId);
}

function drop(messages: MessageView[], id: string): void {
  const index = messages.findIndex((known) => known.id === id);
  if (index >= 0) messages.splice(index, 1);
}

/** The newest page replaces what was known before it was asked for, as far back as it reaches. */
function takeNewest(conversation: Conversation, page: readonly MessageView[], known: ReadonlySet<EventId>): void {
  const ids = new Set(page.map(({ id }) => id));
  const isFull = page.length === PAGE;
  // A full page that touches nothing we hold leaves a gap: begin again from the newest.
  const isGap = isFull && known.size > 0 && !page.some(({ id }) => known.has(id));
  const from = isGap || !isFull ? '' : (page[0]?.order ?? '');
  const kept = conversation.messages.filter(({ id, order }) => order < from || ids.has(id) || !known.has(id));
  for (const message of page) upsert(kept, message);
  conversation.messages = kept;
  if (!isFull) conversation.complete = true;
  else if (isGap || known.size === 0) conversation.complete = false;
}

function utter({ messages }: EngineClient, sphereId: SphereId, text: string, turn: Turn | null) {
  if (turn?.kind === 'edit') return messages.edit({ sphereId, messageId: turn.message.id, text });
  return messages.say({ sphereId, text, ...(turn === null ? {} : { replyTo: turn.message.id }) });
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
    const conversation = begun(conversations, sphereId);
    try {
      const known = new Set(conversation.messages.map(({ id }) => id));
      takeNewest(conversation, (await fetchPage(sphereId)).messages, known);
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
    const { messages } = await fetchPage(sphereId, oldest.id);
    for (const message of messages) upsert(conversation.messages, message);
    conversation.complete = messages.length < PAGE;
    return messages.length;
  }

  /** Says `text`, or what it changes; resolves when it is safely kept, not when others have it. */
  async function say(sphereId: SphereId, text: string, turn: Turn | null = null): Promise<void> {
    applyMessage((await engine.call((client) => utter(client, sphereId, text, turn))).message);
  }

  const forgetMessage = (sphereId: string, id: string): void => drop(conversations.get(sphereId)?.messages ?? [], id);

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

  return {
    conversations,
    drafts,
    open,
    older,
    say,
    applyMessage,
    forgetMessage,
    forgetSphere,
    keepOnly,
    refresh,
  };
});
