// XEP-0085: Chat State Notifications, version 2.1
import { child, type Element, xml } from '../element.ts';

export const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates';
/** §5.1 knows more of them; to people they all mean that nobody is typing. */
const STATES = ['composing', 'paused', 'active', 'inactive', 'gone'] as const;
export type ChatState = (typeof STATES)[number];

export function chatState(state: ChatState): Element {
  return xml(state, { xmlns: NS_CHAT_STATES });
}

export function readChatState(message: Element): ChatState | undefined {
  return STATES.find((state) => child(message, state, NS_CHAT_STATES) !== undefined);
}
