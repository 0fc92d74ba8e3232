import * as z from 'zod';
import type { BareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

const schema = z.array(
  z.object({
    deviceId: z.number(),
    /** In hex; null until its keys were asked for. */
    identityKey: z.string().nullable(),
    choice: z.enum(['open', 'let-in', 'left-out']),
    sinceMs: z.number(),
    /** When the person let it in here, by the same clock as the words of what they compared; later ones alone overrule it. */
    letInAtMs: z.number().optional(),
  }),
);

/** A device at somebody's account that its person did not vouch for, and what ours has said of it; `open`: nothing yet. */
export type ChosenDevice = z.infer<typeof schema>[number];

type Place = Pick<Storage, 'settings'>;

/** Whoever runs a server can list devices without end. */
const MAX_CHOICES = 50;

/** What the person has said of devices that nobody vouched for, by the account they are at. */
export const DeviceChoices = {
  list({ settings }: Place, jid: BareJid): readonly ChosenDevice[] {
    return settings.get(settingOf(jid), (value) => schema.parse(value)) ?? [];
  },

  /** Those that were decided about are never crowded out. */
  replace(storage: Place, jid: BareJid, devices: readonly ChosenDevice[]): void {
    const ranked = devices.toSorted((a, b) => Number(a.choice === 'open') - Number(b.choice === 'open'));
    if (ranked.length === 0) storage.settings.remove(settingOf(jid));
    else storage.settings.set(settingOf(jid), ranked.slice(0, MAX_CHOICES));
  },

  /** Of one that was left out the number is enough: whatever key it shows next, it stays out. */
  of(storage: Place, jid: BareJid, device: { readonly deviceId: number; readonly identityKey: string }) {
    const isMeant = ({ deviceId, identityKey, choice }: ChosenDevice): boolean =>
      deviceId === device.deviceId && (choice === 'left-out' || identityKey === device.identityKey);
    return DeviceChoices.list(storage, jid).find(isMeant)?.choice;
  },

  /** The identity keys of those that were left out while they showed one. */
  keysLeftOut(storage: Place, jid: BareJid): readonly string[] {
    return DeviceChoices.list(storage, jid).flatMap(({ choice, identityKey }) =>
      choice === 'left-out' ? (identityKey ?? []) : [],
    );
  },

  /** Whether the person was asked about a device, by its number, and has said nothing yet. */
  isOpen(storage: Place, { jid, deviceId }: { readonly jid: BareJid; readonly deviceId: number }): boolean {
    return DeviceChoices.list(storage, jid).some((one) => one.deviceId === deviceId && one.choice === 'open');
  },
};

const settingOf = (jid: BareJid): string => `chosen-devices ${jid}`;
