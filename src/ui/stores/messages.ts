import { defineStore } from 'pinia';
import { reactive } from 'vue';
import type { EventId, PersonId, SphereId } from '../../base/id.ts';
import type { MessageView } from '../../contract/views.ts';
import type { EngineClient } from '../connection/engine-client.ts';
import { useEngine, type EngineLine } from './engine.ts';
import type { Turn } from './turns.ts';

export interface Conversation {
  /** Oldest first. */
  messages: MessageView[];
  state: 'loading' | 'ready' | 'failed';
  /** The first message of the sphere is among them. */
  complete: boolean;
  /** The line that was jumped to, as long as newer ones are missing behind what is here; null = the newest are here. */
  around: EventId | null;
}

const PAGE = 60;
/** As many as a message may name. */
const MAX_MENTIONS = 16;

/** Whom a text speaks to. */
type People = readonly PersonId[];

/** Puts a line where it belongs, or in place of what was known of it. */
export function upsert(messages: MessageView[], message: MessageView): void {
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
  conversations.set(sphereId, { messages: [], state: 'loading', complete: false, around: null });
  return begun(conversations, sphereId);
}

export function drop(messages: MessageView[], id: string): void {
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

function utter({ messages }: EngineClient, sphereId: SphereId, text: string, turn: Turn | null, to: People) {
  if (turn?.kind === 'edit') return messages.edit({ sphereId, messageId: turn.message.id, text });
  const mentions = to.length === 0 ? {} : { mentions: to.slice(0, MAX_MENTIONS) };
  return messages.say({ sphereId, text, ...mentions, ...(turn === null ? {} : { replyTo: turn.message.id }) });
}

/** Reading away from the newest lines: the lines around one, and from there on in both directions. */
function usePages(engine: EngineLine, conversations: Map<string, Conversation>) {
  const fetchPage = (
    sphereId: SphereId,
    where: { before?: EventId; after?: EventId; around?: EventId } = {},
  ): Promise<{ messages: MessageView[] }> =>
    engine.call((client) => client.messages.list({ sphereId, limit: PAGE, ...where }));

  /** Loads the lines around one that is not here; false when there is no such line. */
  async function openAround(sphereId: SphereId, id: EventId): Promise<boolean> {
    const conversation = begun(conversations, sphereId);
    const { messages } = await fetchPage(sphereId, { around: id });
    const at = messages.findIndex((message) => message.id === id);
    if (at < 0) return false;
    const isNewest = messages.length - at < PAGE / 2;
    Object.assign(conversation, { messages, state: 'ready', complete: at < PAGE / 2, around: isNewest ? null : id });
    return true;
  }

  /** Loads the page after the newest line that is here, when some are missing. */
  async function newer(sphereId: SphereId): Promise<void> {
    const conversation = conversations.get(sphereId);
    const last = conversation?.messages.at(-1);
    if (conversation === undefined || last === undefined || conversation.around === null) return;
    const { messages } = await fetchPage(sphereId, { after: last.id });
    for (const message of messages) upsert(conversation.messages, message);
    if (messages.length < PAGE) conversation.around = null;
  }

  /** Loads the page before the oldest message. Returns how many came. */
  async function older(sphereId: SphereId): Promise<number> {
    const conversation = conversations.get(sphereId);
    const oldest = conversation?.messages[0];
    if (conversation === undefined || oldest === undefined || conversation.complete) return 0;
    const { messages } = await fetchPage(sphereId, { before: oldest.id });
    for (const message of messages) upsert(conversation.messages, message);
    conversation.complete = messages.length < PAGE;
    return messages.length;
  }

  return { fetchPage, openAround, newer, older };
}

/** The conversations of the spheres that were opened, loaded from the newest page backwards. */
export const useMessages = defineStore('messages', () => {
  const engine = useEngine();
  const conversations = reactive(new Map<string, Conversation>());
  /** Text that was typed and not yet said, by sphere. */
  const drafts = reactive(new Map<string, string>());

  const { fetchPage, openAround, newer, older } = usePages(engine, conversations);

  /** Loads the newest page; what is known already stays. */
  async function open(sphereId: SphereId): Promise<void> {
    const conversation = begun(conversations, sphereId);
    try {
      // What was far back is not joined to the newest: lines between them are missing.
      const known = new Set(conversation.around === null ? conversation.messages.map(({ id }) => id) : []);
      if (conversation.around !== null) Object.assign(conversation, { messages: [], around: null });
      takeNewest(conversation, (await fetchPage(sphereId)).messages, known);
      conversation.state = 'ready';
    } catch (error) {
      if (conversation.messages.length === 0) conversation.state = 'failed';
      throw error;
    }
  }

  /** Says `text`, or what it changes; resolves when it is safely kept, not when others have it. */
  async function say(sphereId: SphereId, text: string, turn: Turn | null = null, to: People = []): Promise<void> {
    const { message } = await engine.call((client) => utter(client, sphereId, text, turn, to));
    const isFarBack = (conversations.get(sphereId)?.around ?? null) !== null;
    if (isFarBack && turn?.kind !== 'edit') await open(sphereId);
    applyMessage(message);
  }

  const forgetMessage = (sphereId: string, id: string): void => drop(conversations.get(sphereId)?.messages ?? [], id);

  function applyMessage(message: MessageView): void {
    const conversation = conversations.get(message.sphereId);
    if (conversation === undefined) return;
    const isBeyond = message.order > (conversation.messages.at(-1)?.order ?? '');
    // It comes when the lines before it are loaded.
    if (conversation.around === null || !isBeyond) upsert(conversation.messages, message);
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
    await Promise.all(
      Array.from(conversations, async ([id, { around }]) => {
        // Whoever reads far back stays there.
        if (around === null || !(await openAround(id as SphereId, around))) await open(id as SphereId);
      }),
    );
  }

  return {
    conversations,
    drafts,
    open,
    older,
    openAround,
    newer,
    say,
    applyMessage,
    forgetMessage,
    forgetSphere,
    keepOnly,
    refresh,
  };
});
