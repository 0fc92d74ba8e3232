import { AppError } from '../base/errors.ts';
import type { EventId, SphereId } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Encrypted } from '../omemo/encrypting.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { DeviceAddress, TrustDecision } from '../omemo/types.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Audience } from './audience.ts';
import type { OutgoingMessage } from './carrier.ts';
import type { DeviceDirectory } from './device-directory.ts';
import { fitEntries } from './fit-entries.ts';
import { decodeEnvelope } from './protocol/envelope.ts';
import { parseEvent, sphereOf } from './protocol/event.ts';
import { sha256Hex } from './protocol/keys.ts';
import { seal } from './protocol/seal.ts';
import type { RecipientBook } from './recipients.ts';

interface EntrySealerDeps {
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly directory: DeviceDirectory;
  readonly book: RecipientBook;
  readonly random: RandomBytes;
}

export interface SealedEntry {
  readonly message: OutgoingMessage;
  /** Recipients whose keys could not be read this time: the message says nothing to them. */
  readonly missed: readonly DeviceAddress[];
}

/** Makes the message of one outbox entry for the recipients of the moment. The ratchet is kept before anything leaves. */
export class EntrySealer {
  readonly #deps: EntrySealerDeps;

  constructor(deps: EntrySealerDeps) {
    this.#deps = deps;
  }

  seal(
    row: OutboxRow,
    audience: Audience,
    recipients: readonly DeviceAddress[],
    signal: AbortSignal,
  ): Promise<SealedEntry> {
    const { omemo, directory, storage, random } = this.#deps;
    const sphereId = row.sphereId ?? sphereOfFirst(row);
    const entries = fitEntries(decodeEnvelope(row.envelope), recipients.length, row.line);
    const context = { sphere: sphereId, event: sha256Hex(entries[0]?.bytes ?? new Uint8Array()) as EventId };
    const keep = (result: Encrypted, changes: Parameters<typeof storage.omemo.apply>[0]): SealedEntry => {
      storage.transaction(() => storage.omemo.apply(changes));
      const bytes = seal({ messageKey: result.messageKey, context, random }, entries);
      const message = {
        id: messageId(row),
        omemo: result.message,
        sealed: { ...context, bytes },
        hasLine: row.line !== null,
        // An invitation that is taken back has no line, and invites nobody.
        invitesTo:
          audience.kind === 'account' && row.line !== null ? (storage.spheres.get(sphereId)?.room ?? null) : null,
      };
      return { message, missed: result.unreachable.map(({ address }) => address) };
    };
    return omemo.encrypt(
      {
        recipients,
        text: row.line,
        fetchBundle: (address, stop) => directory.bundle(address, stop),
        trusts: this.#trusts(row),
      },
      keep,
      signal,
    );
  }

  /** A certified device has the key of its certificate; any other one keeps the key it was met with. */
  #trusts(row: OutboxRow): TrustDecision {
    return (address, identityKey, standing) => {
      const expected = this.#deps.book.expectedIdentity(row, address);
      return expected === undefined ? standing !== 'changed' : Buffer.compare(expected, identityKey) === 0;
    };
  }
}

/** The same for every attempt to send one outbox entry. */
export function messageId(row: OutboxRow): string {
  return `${row.eventId.slice(0, 32)}-${row.id}`;
}

/** The outbox entry that a message of ours may be of; NaN for a foreign id. */
export function entryNumber(id: string): number {
  return Number(/-(\d+)$/.exec(id)?.[1]);
}

/** An answer to an invitation belongs to a sphere that is not here. */
function sphereOfFirst({ envelope }: OutboxRow): SphereId {
  const [first] = decodeEnvelope(envelope);
  if (first === undefined) throw new AppError('internal', 'an outbox entry without an event');
  return sphereOf(parseEvent(first.bytes, first.signature));
}
