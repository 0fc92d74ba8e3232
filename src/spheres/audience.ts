import * as z from 'zod';
import type { BareJid, DeviceKey } from '../base/id.ts';
import { bareJidSchema, deviceKeySchema } from '../contract/ids.ts';

/** Who must be able to read what is sent; kept with it in the outbox and resolved to devices at sending. */
export type Audience =
  /** Every member's devices that may get human lines. */
  | { readonly kind: 'members' }
  /** Only devices certified by their person's key: the ones that may hold keys. */
  | { readonly kind: 'certified' }
  /** One certified device, for history and keys. */
  | { readonly kind: 'device'; readonly device: DeviceKey }
  /** All devices of one account, outside any room: an invitation. */
  | { readonly kind: 'account'; readonly jid: BareJid }
  /** These devices of one account, outside any room and by the keys of their certificates. */
  | { readonly kind: 'known'; readonly jid: BareJid; readonly devices: readonly KnownDevice[] };

export interface KnownDevice {
  readonly deviceId: number;
  /** 33 bytes in hex. */
  readonly identityKey: string;
}

const audienceSchema: z.ZodType<Audience> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('members') }),
  z.object({ kind: z.literal('certified') }),
  z.object({ kind: z.literal('device'), device: deviceKeySchema }),
  z.object({ kind: z.literal('account'), jid: bareJidSchema }),
  z.object({
    kind: z.literal('known'),
    jid: bareJidSchema,
    devices: z.array(z.object({ deviceId: z.number().int(), identityKey: z.string() })),
  }),
]);

/** The account that is written to alone; undefined for what goes into the room. */
export function addressee(audience: Audience): BareJid | undefined {
  return audience.kind === 'account' || audience.kind === 'known' ? audience.jid : undefined;
}

export function parseAudience(value: unknown): Audience {
  return audienceSchema.parse(value);
}
