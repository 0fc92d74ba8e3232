import type { BareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

type Place = Pick<Storage, 'settings'>;

/**
 * Accounts of which something was compared and taken back, or counts no more for another reason: whoever wanted to be sure once
 * wants to be asked about each device, and does not trust all of them again because nothing compared is left.
 */
export const ManualTrust = {
  isOn({ settings }: Place, jid: BareJid): boolean {
    return settings.get(settingOf(jid), Boolean) === true;
  },

  keep(storage: Place, jid: BareJid): void {
    if (!ManualTrust.isOn(storage, jid)) storage.settings.set(settingOf(jid), true);
  },

  /** Somebody is asked about where they go as they were where they were. */
  carry(storage: Place, { from, to }: { readonly from: BareJid; readonly to: BareJid }): void {
    if (ManualTrust.isOn(storage, from)) ManualTrust.keep(storage, to);
  },
};

const settingOf = (jid: BareJid): string => `manual-trust ${jid}`;
