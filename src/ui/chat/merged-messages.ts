import type { MessageView } from '../../contract/views.ts';
import type { Conversation } from '../stores/messages.ts';

/**
 * What was said with a person and what was shared with them, as one conversation by time: as far back as everything
 * that is loaded reaches. `talk` comes first and leads; notices of the others are about rooms and say nothing here.
 */
export function mergedMessages(talk: Conversation, shared: readonly Conversation[]): MessageView[] {
  const since = Math.max(...[talk, ...shared].map(reachesBackTo));
  const last = talk.around === null ? Infinity : (talk.messages.at(-1)?.atMs ?? Infinity);
  const others = shared.flatMap(({ messages }) =>
    messages.filter(({ kind, atMs }) => kind !== 'notice' && atMs >= since && atMs <= last),
  );
  others.sort((a, b) => a.atMs - b.atMs);
  const merged: MessageView[] = [];
  for (const message of talk.messages) {
    while (others[0] !== undefined && others[0].atMs < message.atMs) merged.push(...others.splice(0, 1));
    if (message.atMs >= since) merged.push(message);
  }
  return [...merged, ...others];
}

/** Those of which an older page is needed to see further back. */
export function endingFirst(conversations: readonly Conversation[]): Conversation[] {
  const open = conversations.filter(({ complete, messages }) => !complete && messages.length > 0);
  const since = Math.max(...open.map(reachesBackTo));
  return open.filter((one) => reachesBackTo(one) === since);
}

/** Before it something may be missing; one that has not come yet keeps the others from nothing. */
function reachesBackTo({ complete, messages }: Conversation): number {
  return complete ? -Infinity : (messages[0]?.atMs ?? -Infinity);
}
