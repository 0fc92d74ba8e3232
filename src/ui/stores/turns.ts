import { defineStore } from 'pinia';
import { reactive } from 'vue';
import type { MessageView } from '../../contract/views.ts';

/** A line that the next words answer or replace. */
export interface Turn {
  readonly kind: 'reply' | 'edit';
  readonly message: MessageView;
}

/** What the next words refer to, by conversation. */
export const useTurns = defineStore('turns', () => {
  const turns = reactive(new Map<string, Turn>());

  function turnTo(conversationId: string, turn: Turn | null): void {
    if (turn === null) turns.delete(conversationId);
    else turns.set(conversationId, turn);
  }

  return { turns, turnTo };
});

/** The last text of one's own that can be changed. */
export function lastOwnText(messages: readonly MessageView[]): MessageView | undefined {
  return messages.findLast(
    ({ mine, kind, change, state }) =>
      mine && kind === 'text' && change !== 'retracted' && state !== 'failed' && state !== 'guest',
  );
}
