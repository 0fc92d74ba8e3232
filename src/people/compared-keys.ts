import * as z from 'zod';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

const schema = z.array(
  z.object({
    deviceId: z.number(),
    /** In hex. */
    identityKey: z.string(),
    atMs: z.number(),
    /** What their program shows is something else. */
    differs: z.literal(true).optional(),
    /** The person said it at another computer of theirs. */
    heard: z.literal(true).optional(),
    /** The highest time that a clock far ahead of ours has named for a word about it: what is not above it is known. */
    aheadMs: z.number().optional(),
  }),
);

/** What was found of a device of somebody when its fingerprint was compared. */
export type ComparedKey = z.infer<typeof schema>[number];

type Place = Pick<Storage, 'settings'>;

interface DeviceOf {
  readonly jid: BareJid;
  readonly deviceId: number;
}

/** As many as one message is made for. */
const MAX_KEYS = 50;
const PREFIX = 'compared-keys ';

/** The devices of people that were compared one by one, by the account they are at: of people who are met in no sphere. */
export const ComparedKeys = {
  /** Those that were found to be the same. */
  list(place: Place, jid: BareJid): readonly ComparedKey[] {
    return ComparedKeys.said(place, jid).filter(({ differs }) => differs !== true);
  },

  /** Also those that were found to differ. */
  said({ settings }: Place, jid: BareJid): readonly ComparedKey[] {
    return settings.get(PREFIX + jid, (value) => schema.parse(value)) ?? [];
  },

  /** The accounts of which anything was said. */
  accounts({ settings }: Place): readonly BareJid[] {
    return settings.keys(PREFIX).map((key) => parseBareJid(key.slice(PREFIX.length)));
  },

  /** The oldest make room, those that differ first. */
  replace({ settings }: Place, jid: BareJid, keys: readonly ComparedKey[]): void {
    const ranked = keys.toSorted((a, b) => Number(b.differs ?? false) - Number(a.differs ?? false));
    if (keys.length === 0) settings.remove(PREFIX + jid);
    else settings.set(PREFIX + jid, ranked.slice(-MAX_KEYS));
  },

  /** A time later than that of anything that was said of a device, also where the clocks differ. */
  laterMs(place: Place, { jid, deviceId }: DeviceOf, nowMs: number): number {
    const known = ComparedKeys.said(place, jid).find((key) => key.deviceId === deviceId);
    return Math.max(nowMs, (known?.atMs ?? -1) + 1);
  },

  /** The person has said something else of a device here: what they say elsewhere no longer changes it back. */
  settle(place: Place, { jid, deviceId }: DeviceOf): void {
    const said = ComparedKeys.said(place, jid);
    if (!said.some((key) => key.deviceId === deviceId && key.heard === true)) return;
    const settled = said.map((key) => (key.deviceId === deviceId ? { ...key, heard: undefined } : key));
    ComparedKeys.replace(place, jid, settled);
  },

  /** Whoever moves keeps their devices. At the former address they stay compared: somebody else may sit there next. */
  carry(place: Place, { from, to }: { readonly from: BareJid; readonly to: BareJid }): void {
    const there = ComparedKeys.said(place, to);
    const isNew = ({ deviceId }: ComparedKey): boolean => !there.some((key) => key.deviceId === deviceId);
    ComparedKeys.replace(place, to, [...ComparedKeys.list(place, from).filter(isNew), ...there]);
  },
};
