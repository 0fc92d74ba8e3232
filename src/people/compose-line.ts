import type { BareJid } from '../base/id.ts';
import type { DirectMessageRow, DirectMessageTable } from '../storage/direct-message-table.ts';
import type { TalkWordRow } from '../storage/talk-word-table.ts';
import type { Element } from '../xmpp/element.ts';
import { signsMark } from '../xmpp/signs.ts';
import { receiptRequest } from '../xmpp/xep/0184-receipts.ts';
import { correctionOf } from '../xmpp/xep/0308-correction.ts';
import { markable } from '../xmpp/xep/0333-markers.ts';
import { NS_RETRACTION, retractionOf } from '../xmpp/xep/0424-retraction.ts';
import { fallbackFor, type TextRange } from '../xmpp/xep/0428-fallback.ts';
import { signsIn } from '../xmpp/xep/0444-reactions.ts';
import { NS_REPLY, replyTo } from '../xmpp/xep/0461-replies.ts';

/** What goes out: the text is encrypted, what stands beside it is not. */
export interface Composed {
  readonly text: string;
  /** What it is about. */
  readonly beside: readonly Element[];
  /** What we want to hear of it. */
  readonly asks?: readonly Element[];
}

interface ComposeDeps {
  readonly lines: Pick<DirectMessageTable, 'get'>;
  readonly own: BareJid;
}

/** Of what is answered other programs show so much. */
const QUOTE_LENGTH = 80;
/** What programs show that do not know how to take a line away. */
const RETRACTED = "/me retracted a previous message, but it's unsupported by your client.";
const MAX_RETRACTION = 200;
const NO_SIGNS = '–';

/** A line of ours, with the beginning of what it answers for programs that show no answers. */
export function composeLine(deps: ComposeDeps, row: DirectMessageRow): Composed {
  const said = answer(deps, row, row.text);
  return { ...said, asks: [receiptRequest(), markable()] };
}

/** What we did about a line; undefined when its author gave it no name to speak of it, or it was taken back since. */
export function composeWord(deps: ComposeDeps, kind: TalkWordRow['kind'], row: DirectMessageRow): Composed | undefined {
  const { stanzaId } = row;
  if (stanzaId === null) return undefined;
  // What was meant for a line that is gone by now would put an empty one in its place.
  if (row.change === 'retracted' && kind !== 'retract') return undefined;
  if (kind === 'retract') {
    return { text: RETRACTED, beside: [retractionOf(stanzaId), fallbackFor(NS_RETRACTION)] };
  }
  if (kind === 'edit') {
    const said = answer(deps, row, row.text);
    return { text: said.text, beside: [...said.beside, correctionOf(stanzaId)] };
  }
  const signs = row.signs?.mine.join(' ') ?? '';
  const said = answerTo(deps, row, signs === '' ? NO_SIGNS : signs);
  return { text: said.text, beside: [...said.beside, signsMark()] };
}

/**
 * The text without the part that quotes what it answers, unless nothing else is in it. The part is named outside of the
 * encryption: a server must not cut anything but a quote out of what somebody says.
 */
export function withoutQuote(text: string, { start, end }: TextRange): string {
  const points = [...text];
  const quote = points.slice(0, end).join('').trimEnd();
  const rest = points.slice(end).join('').trim();
  const isQuote = start === 0 && quote.split('\n').every((line) => line.startsWith('>')) && points[end - 1] === '\n';
  return isQuote && rest !== '' ? rest : text;
}

/** Whether a text stands for a message that takes another one back: no server can make one of what somebody says. */
export function isRetraction(text: string): boolean {
  return text.length <= MAX_RETRACTION && /\bretract/i.test(text);
}

/** The signs in the text of an answer that was marked as such; undefined when it says something else. */
export function signsOf(text: string): string[] | undefined {
  const words = text.split(/\s+/);
  const signs = signsIn(words);
  return text === NO_SIGNS || signs.length === new Set(words).size ? signs : undefined;
}

function answer(deps: ComposeDeps, row: DirectMessageRow, text: string): Composed {
  const answered = row.replyTo === null ? undefined : deps.lines.get(row.replyTo);
  return answered === undefined ? { text, beside: [] } : answerTo(deps, answered, text);
}

function answerTo(
  { own }: ComposeDeps,
  { stanzaId, mine, peer, text: said }: DirectMessageRow,
  text: string,
): Composed {
  if (stanzaId === null) return { text, beside: [] };
  const quote = quoteOf(said);
  const reply = replyTo({ to: mine ? own : peer, id: stanzaId });
  if (quote === '') return { text, beside: [reply] };
  return { text: quote + text, beside: [reply, fallbackFor(NS_REPLY, { start: 0, end: [...quote].length })] };
}

function quoteOf(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  const points = [...line];
  const begin = points.length > QUOTE_LENGTH ? `${points.slice(0, QUOTE_LENGTH).join('')}…` : line;
  return begin === '' ? '' : `> ${begin}\n`;
}
