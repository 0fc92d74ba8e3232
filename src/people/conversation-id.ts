import { createHash } from 'node:crypto';
import type { BareJid, SphereId } from '../base/id.ts';
import { parseSphereId } from '../base/id.ts';

/** The conversation with one person goes by a name of the same form as a sphere's, so that screens treat both alike. */
export function conversationIdOf(jid: BareJid): SphereId {
  return parseSphereId(createHash('sha256').update(`spherecast-talk-v1\0${jid}`).digest('hex'));
}
