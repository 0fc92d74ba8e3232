// RFC 5869: HKDF · NIST SP 800-38D: AES-256-GCM
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { toUtf8 } from '../base/bytes.ts';
import type { RandomBytes } from '../base/random.ts';
import { decryptAead, encryptAead } from '../spheres/protocol/aead.ts';
import { decodeCanonical, encodeCanonical } from '../spheres/protocol/canonical-json.ts';
import { deriveKey } from '../spheres/protocol/keys.ts';
import { NS_PART } from '../xmpp/line-part.ts';

/** Beside the keys for 50 devices of each of both it fits into a stanza of any server. */
export const MAX_LINE_BYTES = 24 * 1024;
const MAX_COUNT = 32;
const MAX_RECORD_BYTES = 512;

const schema = z.object({
  of: z.string().regex(/^[0-9a-f]{64}$/),
  number: z.number().int().nonnegative(),
  count: z.number().int().min(2).max(MAX_COUNT),
  /** Whether the text takes the place of another one. */
  isChange: z.boolean(),
});

/** Which piece of which long text a line is. The text itself travels as that of any line. */
export type LinePart = z.output<typeof schema>;

/** The same for every attempt to say this. */
export function longLineId(id: string, text: string): string {
  return createHash('sha256').update(`spherecast-long-line-v1\0${id}\0`).update(toUtf8(text)).digest('hex');
}

/** The id of a piece: the last one has that of the whole line. */
export function pieceId(id: string, { number, count }: Pick<LinePart, 'number' | 'count'>): string {
  return number === count - 1 ? id : `${id}-${number}`;
}

/** The id of the line that a message of ours was a piece of. */
export function wholeId(id: string): string {
  return id.replace(/-\d{1,2}$/, '');
}

/** Every recipient knows the key: like the line it is from whoever encrypted it, and the server cannot change it. */
export function sealPart(messageKey: Uint8Array, part: LinePart, random: RandomBytes): Uint8Array<ArrayBuffer> {
  return encryptAead({ ...inputOf(messageKey), random }, encodeCanonical({ ...part, v: 1 }));
}

/** undefined for what this version does not understand: then it is a line like any other. */
export function openPart(messageKey: Uint8Array, sealed: Uint8Array): LinePart | undefined {
  try {
    const record = decodeCanonical(decryptAead(inputOf(messageKey), sealed), MAX_RECORD_BYTES);
    const part = schema.safeParse(record).data;
    return part === undefined || part.number >= part.count ? undefined : part;
  } catch {
    // Whoever wrote the line can say anything beside it; its words are shown all the same.
    return undefined;
  }
}

function inputOf(messageKey: Uint8Array): { readonly key: Uint8Array; readonly context: Uint8Array } {
  return { key: deriveKey(messageKey, NS_PART), context: toUtf8(NS_PART) };
}
