// XEP-0045: Multi-User Chat, version 1.35.3, §7.2
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import { withPatience } from './deadline.ts';
import { attr, type Element } from './element.ts';
import type { XmppPort } from './port.ts';
import { errorCondition, stanzaError } from './stanza-error.ts';
import { joinPresence } from './xep/0045-muc.ts';

const ANSWER_MS = 20_000;
const MAX_NICKS = 4;

export type EntryOutcome =
  | { readonly kind: 'entered'; readonly nick: string; readonly created: boolean }
  | { readonly kind: 'refused'; readonly error: AppError };

/** One attempt to enter; whoever hears the room's answer calls `settle`. */
export interface Entry {
  readonly address: BareJid;
  readonly nick: string;
  readonly extras: readonly Element[];
  settle: ((outcome: EntryOutcome) => void) | undefined;
  /** The wish to enter is on its way. */
  readonly onAsked: () => void;
}

export interface Entered {
  /** The nick that the room gave us, which may differ from the one we asked for. */
  readonly nick: string;
  readonly created: boolean;
}

/** Enters; a nick that is taken gets a number. Rejects with `not-a-member`, `not-found` or what the room answers. */
export async function enterRoom(
  deps: { readonly client: XmppPort; readonly clock: Clock },
  entry: Entry,
  signal: AbortSignal,
): Promise<Entered> {
  const limit = { ms: ANSWER_MS, line: deps.client };
  for (let count = 1; ; count += 1) {
    const nick = count === 1 ? entry.nick : `${entry.nick} ${count}`;
    const outcome = await withPatience(deps.clock, limit, signal, async () => {
      const { promise, resolve } = Promise.withResolvers<EntryOutcome>();
      entry.settle = resolve;
      await deps.client.send(joinPresence(entry.address, nick, ...entry.extras));
      entry.onAsked();
      return await promise;
    });
    if (outcome.kind === 'entered') return outcome;
    const condition = errorCondition(outcome.error);
    // §7.2.8
    if (condition !== 'conflict' || count >= MAX_NICKS) throw refusal(outcome.error, condition);
  }
}

// §7.2.6 and §7.2.7: both an outsider and a banned person are not members.
function refusal(error: AppError, condition: string | undefined): AppError {
  if (condition !== 'registration-required' && condition !== 'forbidden') return error;
  return new AppError('not-a-member', 'the room does not let us in', { condition }, error);
}

export function readEntryError(presence: Element): AppError | undefined {
  return attr(presence, 'type') === 'error' ? stanzaError(presence) : undefined;
}
