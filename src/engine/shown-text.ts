import type { MessageView } from '../contract/views.ts';

const MAX_LENGTH = 4_000;
const MAX_LINES = 60;
/** What is shown of a line in a list, and where another one answers it. */
export const QUOTE_LENGTH = 200;

/** A text as lists and events carry it: of a long one the beginning, so that no page stands still over a hundred of them. */
export function shownText(text: string): Pick<MessageView, 'text' | 'more'> {
  const shown = beginningOf(text);
  return shown.length === text.length ? { text } : { text: shown, more: text.length - shown.length };
}

/** As much of a line as is shown where another one answers it; null = it says nothing. */
export function quotedText(text: string): string | null {
  if (text === '') return null;
  return text.length > QUOTE_LENGTH ? `${beginningOf(text, QUOTE_LENGTH)}…` : text;
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
