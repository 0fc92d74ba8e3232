import { toUtf8 } from '../base/bytes.ts';
import type { EventId } from '../base/id.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { sha256Hex } from './protocol/keys.ts';

type Line = Pick<IncomingMessage, 'room' | 'from' | 'archiveId' | 'atMs' | 'body'> & {
  readonly omemo: Pick<NonNullable<IncomingMessage['omemo']>, 'payload'> | null;
};

/** The id of a line that stands for no event: made from its place in the archive, it is the same on every device. */
export function lineId({ room, from, archiveId, atMs, body, omemo }: Line): EventId {
  const parts = ['spherecast-line-v1', room ?? '', from, archiveId ?? String(atMs)];
  const content = omemo?.payload ?? toUtf8(body ?? '');
  return sha256Hex(toUtf8(parts.join('\0')), content) as EventId;
}
