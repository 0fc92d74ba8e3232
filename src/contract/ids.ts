import * as z from 'zod';
import type { BareJid, DeviceKey, EventId, InfoHash, ItemId, PersonId, SphereId } from '../base/id.ts';
import {
  parseBareJid,
  parseDeviceKey,
  parseEventId,
  parseInfoHash,
  parseItemId,
  parsePersonId,
  parseSphereId,
} from '../base/id.ts';

/** A schema that accepts what `parse` accepts and gives its branded result. */
function branded<T extends string>(parse: (text: string) => T): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch {
      // The parser's refusal becomes an issue of the schema; the cause is the text itself.
      context.addIssue({ code: 'custom', message: 'malformed identifier' });
      return z.NEVER;
    }
  });
}

export const sphereIdSchema = branded<SphereId>(parseSphereId);
export const eventIdSchema = branded<EventId>(parseEventId);
export const itemIdSchema = branded<ItemId>(parseItemId);
export const personIdSchema = branded<PersonId>(parsePersonId);
export const deviceKeySchema = branded<DeviceKey>(parseDeviceKey);
export const infoHashSchema = branded<InfoHash>(parseInfoHash);
export const bareJidSchema = branded<BareJid>(parseBareJid);

/** The answer to what has nothing to tell but that it is done. */
export const done = z.object({ ok: z.literal(true) });
export const inSphere = z.object({ sphereId: sphereIdSchema });
export const ofItem = z.object({ sphereId: sphereIdSchema, itemId: itemIdSchema });

/** Binary data; the length bounds stand where it is used. */
export const bytesSchema = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not bytes');
