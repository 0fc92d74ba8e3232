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
  | { readonly kind: 'account'; readonly jid: BareJid };

const audienceSchema: z.ZodType<Audience> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('members') }),
  z.object({ kind: z.literal('certified') }),
  z.object({ kind: z.literal('device'), device: deviceKeySchema }),
  z.object({ kind: z.literal('account'), jid: bareJidSchema }),
]);

export function parseAudience(value: unknown): Audience {
  return audienceSchema.parse(value);
}
