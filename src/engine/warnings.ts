import * as z from 'zod';
import type { Warning } from '../contract/views.ts';
import { WARNINGS } from '../contract/views.ts';
import type { Storage } from '../storage/storage.ts';

const SETTING = 'warnings';
const schema = z.array(z.enum(WARNINGS));

type Place = Pick<Storage, 'settings'>;

/** What the person has to know of and may not have read yet, kept over restarts until they have. */
export const Warnings = {
  list({ settings }: Place): readonly Warning[] {
    return settings.get(SETTING, (value) => schema.parse(value)) ?? [];
  },

  add(storage: Place, warning: Warning): void {
    const rest = Warnings.list(storage).filter((known) => known !== warning);
    storage.settings.set(SETTING, [...rest, warning]);
  },

  /** The person has read it. */
  remove(storage: Place, warning: Warning): void {
    const rest = Warnings.list(storage).filter((known) => known !== warning);
    storage.settings.set(SETTING, rest);
  },
};
