import type { MessageView } from '../../contract/views.ts';

/** One line of a conversation with what stands around it. */
export interface ChatLine {
  /** The same while a group grows. */
  readonly key: string;
  /** Of a group the newest. */
  readonly message: MessageView;
  /** What one person shared in one go, oldest first; empty for everything else. */
  readonly shares: readonly MessageView[];
  /** A new calendar day begins here. */
  readonly newDay: boolean;
  /** First of several lines one person wrote in a row: the name is shown. */
  readonly first: boolean;
  /** The newest line of our own: its state is told in words. */
  readonly tellState: boolean;
}

const SAME_BREATH_MS = 5 * 60_000;
/** Fewer are shown each by itself. */
const MIN_GROUP = 3;

/** `messages` oldest first. */
export function chatLines(messages: readonly MessageView[]): ChatLine[] {
  const lastOwn = messages.findLast((message) => message.mine && message.kind !== 'notice')?.id;
  let before: MessageView | undefined;
  return grouped(messages).flatMap((group) => {
    const [oldest] = group;
    const newest = group.at(-1);
    if (oldest === undefined || newest === undefined) return [];
    const newDay = before === undefined || isAnotherDay(before, oldest);
    const first = newDay || before === undefined || !isSameBreath(before, oldest);
    before = newest;
    const shares = group.length > 1 ? group : [];
    return [{ key: oldest.id, message: newest, shares, newDay, first, tellState: newest.id === lastOwn }];
  });
}

/** Runs of shares together, everything else alone. */
function grouped(messages: readonly MessageView[]): MessageView[][] {
  const runs: MessageView[][] = [];
  for (const message of messages) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const goesOn = last !== undefined && isPlainShare(last) && isPlainShare(message);
    if (run !== undefined && goesOn && !isAnotherDay(last, message) && isSameBreath(last, message)) run.push(message);
    else runs.push([message]);
  }
  return runs.flatMap((run) => (run.length >= MIN_GROUP ? [run] : run.map((message) => [message])));
}

/** One about which nothing else is to be said. */
function isPlainShare({ kind, itemId, state, encrypted }: MessageView): boolean {
  const isUsual = state !== 'failed' && state !== 'forged' && state !== 'undecryptable' && state !== 'guest';
  return kind === 'item' && itemId !== null && isUsual && encrypted;
}

function isAnotherDay(a: MessageView, b: MessageView): boolean {
  return new Date(a.atMs).toDateString() !== new Date(b.atMs).toDateString();
}

function isSameBreath(before: MessageView, message: MessageView): boolean {
  return (
    before.kind !== 'notice' &&
    before.from === message.from &&
    (before.state === 'guest') === (message.state === 'guest') &&
    message.atMs - before.atMs <= SAME_BREATH_MS
  );
}
