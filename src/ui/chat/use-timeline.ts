import { computed, watch } from 'vue';
import type { SphereId } from '../../base/id.ts';
import { useMessages, type Conversation } from '../stores/messages.ts';
import { endingFirst, mergedMessages } from './merged-messages.ts';
import { chatLines } from './message-groups.ts';

/** The lines of a conversation, with those of the spheres in which things are shared beside it. */
export function useTimeline(conversationId: () => SphereId, shared: () => readonly SphereId[]) {
  const messages = useMessages();
  const ids = computed(() => [conversationId(), ...shared()]);
  const conversation = computed(() => messages.conversations.get(conversationId()));
  const others = computed(() => shared().flatMap((id) => messages.conversations.get(id) ?? []));
  const all = computed((): Conversation[] => [conversation.value, ...others.value].flatMap((one) => one ?? []));
  const lines = computed(() =>
    chatLines(conversation.value === undefined ? [] : mergedMessages(conversation.value, others.value)),
  );

  async function open(): Promise<void> {
    await Promise.all(ids.value.map((id) => messages.open(id)));
  }

  async function older(): Promise<void> {
    const wanted = endingFirst(all.value);
    const reaching = ids.value.filter((id) => wanted.some((one) => messages.conversations.get(id) === one));
    await Promise.all(reaching.map((id) => messages.older(id)));
  }

  // The first thing that is shared makes a sphere beside the talk.
  watch(shared, (now, before) => {
    const added = now.filter((id) => !before.includes(id));
    for (const id of added) void messages.open(id).catch(() => undefined);
  });

  return { conversation, lines, isComplete: computed(() => all.value.every(({ complete }) => complete)), open, older };
}
