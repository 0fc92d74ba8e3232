import type { MessageView } from '../../contract/views.ts';

/** One line of a conversation with what stands around it. */
export interface ChatLine {
  readonly message: MessageView;
  /** A new calendar day begins here. */
  readonly newDay: boolean;
  /** First of several lines one person wrote in a row: the name is shown. */
  readonly first: boolean;
  /** The newest line of our own: its state is told in words. */
  readonly tellState: boolean;
}

const SAME_BREATH_MS = 5 * 60_000;

/** `messages` oldest first. */
export function chatLines(messages: readonly MessageView[]): ChatLine[] {
  const lastOwn = messages.findLast((message) => message.mine && message.kind !== 'notice')?.id;
  return messages.map((message, index) => {
    const before = messages[index - 1];
    const newDay =
      before === undefined || new Date(before.atMs).toDateString() !== new Date(message.atMs).toDateString();
    const first =
      newDay ||
      before === undefined ||
      before.kind === 'notice' ||
      before.from !== message.from ||
      (before.state === 'guest') !== (message.state === 'guest') ||
      message.atMs - before.atMs > SAME_BREATH_MS;
    return { message, newDay, first, tellState: message.id === lastOwn };
  });
}
