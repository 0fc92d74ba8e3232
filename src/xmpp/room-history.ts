import type { BareJid } from '../base/id.ts';
import { attr } from './element.ts';
import { splitJid } from './jid.ts';
import type { XmppPort } from './port.ts';
import type { RoomMessage } from './room-types.ts';
import { readArchivedAuthor } from './xep/0045-muc.ts';
import { type ArchiveEntry, resumeArchive } from './xep/0313-mam.ts';

/**
 * The room's archive after the message with this id, oldest first; from its beginning when it knows no such id.
 * `onPart` hears of each part of the answer, its end as well, at the moment it comes.
 */
export async function* readHistory(
  { client, address }: { readonly client: XmppPort; readonly address: BareJid },
  afterStanzaId: string | null,
  signal: AbortSignal,
  onPart?: () => void,
): AsyncGenerator<RoomMessage, void, undefined> {
  const after = afterStanzaId ?? undefined;
  for await (const entry of resumeArchive(client, { archive: address, after, onPart }, signal)) {
    const message = roomMessage(entry, address);
    if (message !== undefined) yield message;
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
