import * as z from 'zod';
import type { BareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

const schema = z.array(z.object({ deviceId: z.number(), identityKey: z.string(), atMs: z.number() }));

/** A device of somebody whose fingerprint was compared and found to be the same; its identity key in hex. */
export type ComparedKey = z.infer<typeof schema>[number];

type Place = Pick<Storage, 'settings'>;

/** As many as one message is made for. */
const MAX_KEYS = 50;

/** The devices of people that were compared one by one, by the account they are at: of people who are met in no sphere. */
export const ComparedKeys = {
  list({ settings }: Place, jid: BareJid): readonly ComparedKey[] {
    return settings.get(settingOf(jid), (value) => schema.parse(value)) ?? [];
  },

  /** The oldest make room. */
  replace({ settings }: Place, jid: BareJid, keys: readonly ComparedKey[]): void {
    if (keys.length === 0) settings.remove(settingOf(jid));
    else settings.set(settingOf(jid), keys.slice(-MAX_KEYS));
  },

  /** Whoever moves keeps their devices. At the former address they stay compared: somebody else may sit there next. */
  carry(place: Place, { from, to }: { readonly from: BareJid; readonly to: BareJid }): void {
    const there = ComparedKeys.list(place, to);
    const isNew = ({ deviceId }: ComparedKey): boolean => !there.some((key) => key.deviceId === deviceId);
    ComparedKeys.replace(place, to, [...ComparedKeys.list(place, from).filter(isNew), ...there]);
  },
};

const settingOf = (jid: BareJid): string => `compared-keys ${jid}`;
