import { errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { attr } from './element.ts';
import { splitJid } from './jid.ts';
import type { XmppPort } from './port.ts';
import type { RoomMessage } from './room-types.ts';
import { readArchivedAuthor } from './xep/0045-muc.ts';
import { type ArchiveEntry, queryArchive } from './xep/0313-mam.ts';

interface HistoryDeps {
  readonly client: XmppPort;
  readonly address: BareJid;
  readonly log: Logger;
}

/** The room's archive after the message with this id, oldest first; from its beginning when it knows no such id. */
export async function* readHistory(
  deps: HistoryDeps,
  afterStanzaId: string | null,
  signal: AbortSignal,
): AsyncGenerator<RoomMessage, void, undefined> {
  const { client, address, log } = deps;
  let after = afterStanzaId ?? undefined;
  for (;;) {
    let hasBegun = false;
    try {
      for await (const entry of queryArchive(client, { archive: address, after }, signal)) {
        hasBegun = true;
        const message = roomMessage(entry, address);
        if (message !== undefined) yield message;
      }
      return;
    } catch (error) {
      // XEP-0059 §2.2: the archive has deleted the message since; the reader recognises what it has.
      if (errorCode(error) !== 'not-found' || after === undefined || hasBegun) throw error;
      log.info('the archive has forgotten the last message', { error });
      after = undefined;
    }
  }
}

function roomMessage({ id, message, delayMs }: ArchiveEntry, address: BareJid): RoomMessage | undefined {
  const from = splitJid(attr(message, 'from') ?? '');
  if (from.bare !== address || from.resource === undefined || attr(message, 'type') !== 'groupchat') return undefined;
  return {
    stanza: message,
    from: readArchivedAuthor(message) ?? null,
    nick: from.resource,
    stanzaId: id,
    archived: true,
    isReflection: false,
    delayMs: delayMs ?? null,
  };
}
