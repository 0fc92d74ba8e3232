import * as z from 'zod';
import type { BareJid } from '../../base/id.ts';
import { bareJidSchema } from '../../contract/ids.ts';
import type { Author, SignedEvent } from './event.ts';
import { buildAnyEvent } from './event.ts';
import type { Hello } from './hello.ts';
import { helloHeader } from './hello.ts';

/** What a person found when they compared devices of somebody. */
export interface ComparedWord {
  readonly jid: BareJid;
  /** Something was compared there and taken back: each device is asked about. */
  readonly isAsked: boolean;
  readonly devices: readonly ComparedDevice[];
}

interface ComparedDevice {
  readonly deviceId: number;
  /** 33 bytes in hex. */
  readonly identityKey: string;
  readonly isSame: boolean;
  readonly atMs: number;
}

const TYPE = 'compared';
/** With a long address still within the length of an event. */
const MAX_DEVICES = 32;
/** A later word must be possible whatever a clock says. */
const MAX_AT_MS = 2 ** 52;

const bodySchema = z.strictObject({
  jid: bareJidSchema,
  isAsked: z.boolean(),
  devices: z
    .array(
      z.strictObject({
        deviceId: z.number().int().positive().max(0x7fffffff),
        identityKey: z.string().regex(/^05[0-9a-f]{64}$/),
        isSame: z.boolean(),
        atMs: z.number().int().nonnegative().max(MAX_AT_MS),
      }),
    )
    .max(MAX_DEVICES),
});

/** An event of no sphere that stands behind an introduction; the newest devices, when there are too many. */
export function buildComparedWord(author: Author, word: ComparedWord, wallMs: number): SignedEvent {
  return buildAnyEvent(author, helloHeader(author.person, wallMs), TYPE, {
    ...word,
    devices: word.devices.slice(-MAX_DEVICES),
  });
}

/** What the device that introduced itself says it was told; what somebody else signed, or breaks a rule, is passed over. */
export function readComparedWords({ person, device, rest }: Hello): ComparedWord[] {
  return rest.flatMap(({ header, body }) => {
    const isTheirs = header.person === person && header.device === device;
    const read = isTheirs && header.type === TYPE ? bodySchema.safeParse(body) : undefined;
    return read?.success === true ? [read.data] : [];
  });
}
