// XEP-0444: Message Reactions, version 0.2.1
import { child, children, type Element } from '../element.ts';
import { idAttribute } from '../id-attribute.ts';

export const NS_REACTIONS = 'urn:xmpp:reactions:0';
const MAX_SIGNS = 8;
const MAX_SIGN = 32;

/** All signs that somebody has on one message now. */
export interface Reactions {
  /** Of the message that they are on. */
  readonly id: string;
  readonly signs: readonly string[];
}

export function readReactions(message: Element): Reactions | undefined {
  const element = child(message, 'reactions', NS_REACTIONS);
  const id = idAttribute(element);
  if (id === undefined) return undefined;
  const texts = children(element, 'reaction', NS_REACTIONS).map((one) => one.getText().trim());
  return { id, signs: signsIn(texts) };
}

/** What of this is a sign (§4.2: emoji alone), each once and no more of them than people use. */
export function signsIn(texts: readonly string[]): string[] {
  const signs = texts.filter((text) => text.length <= MAX_SIGN && isSign(text));
  return [...new Set(signs)].slice(0, MAX_SIGNS);
}

function isSign(text: string): boolean {
  return /^(?:\p{Emoji}|\p{Emoji_Component})+$/u.test(text) && !/^[\d#*]+$/.test(text);
}
