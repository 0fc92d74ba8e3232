import type { MessageView } from '../contract/views.ts';

const MAX_LENGTH = 4_000;
const MAX_LINES = 60;

/** A text as lists and events carry it: of a long one the beginning, so that no page stands still over a hundred of them. */
export function shownText(text: string): Pick<MessageView, 'text' | 'more'> {
  const shown = beginningOf(text);
  return shown.length === text.length ? { text } : { text: shown, more: text.length - shown.length };
}

/** At most `maxLength` long, and cut between two characters. */
export function beginningOf(text: string, maxLength = MAX_LENGTH): string {
  if (text.length <= maxLength) return withoutLinesBeyond(text);
  const isInPair = /[\uD800-\uDBFF]/.test(text.charAt(maxLength - 1));
  return withoutLinesBeyond(text.slice(0, isInPair ? maxLength - 1 : maxLength));
}

function withoutLinesBeyond(text: string): string {
  let end = -1;
  for (let lines = 0; lines < MAX_LINES; lines += 1) {
    end = text.indexOf('\n', end + 1);
    if (end === -1) return text;
  }
  return text.slice(0, end);
}
