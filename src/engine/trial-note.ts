import * as z from 'zod';
import { parseBareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { TrialNote } from '../xmpp/trial-room.ts';

const NOTE = 'trial-rooms';
const noteSchema = z.array(z.string().transform((jid) => parseBareJid(jid)));

/** Kept over restarts: the rooms that checks of the server made and may have left behind. */
export function trialNote({ settings }: Pick<Storage, 'settings'>): TrialNote {
  return {
    read: () => settings.get(NOTE, (value) => noteSchema.parse(value)) ?? [],
    write: (rooms) => settings.set(NOTE, rooms),
  };
}
