import { readonly, ref, type Ref } from 'vue';
import type { EventId, SphereId } from '../../base/id.ts';

/** A line that is to be shown in its conversation. */
export interface Jump {
  readonly conversationId: SphereId;
  readonly messageId: EventId;
}

const goal = ref<Jump | null>(null);

/** Where a conversation is to be opened the next time it is on the screen: the conversation takes it, and is there. */
export function useJump(): { readonly goal: Readonly<Ref<Jump | null>>; to(jump: Jump): void; arrived(): void } {
  return {
    goal: readonly(goal),
    to: (jump) => {
      goal.value = jump;
    },
    arrived: () => {
      goal.value = null;
    },
  };
}
