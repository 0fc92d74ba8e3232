import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import { fileError, systemCode } from '../torrent/file-error.ts';
import { accountOfFolder } from './account-folder.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { moveFolder } from './move-folder.ts';

/** Which account this profile is signed in with; read at the next start. */
const schema = z.object({
  jid: z.string().nullable(),
  /** The account that its folder may still be named after. */
  movedFrom: z.string().optional(),
});

interface Note {
  readonly jid: BareJid | null;
  readonly movedFrom: BareJid | null;
}

/** The account that this profile is signed in with; undefined for nobody. */
export async function readSignedIn(accountsFolder: string): Promise<BareJid | undefined> {
  let note: string;
  try {
    note = await readFile(noteFile(accountsFolder), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(error, 'the note of who is signed in cannot be read');
  }
  const read = readNote(note);
  if (read !== undefined) return (await finishMove(accountsFolder, read)) ?? undefined;
  // A damaged note must not look like a new profile: the only account there is was the one.
  const known = await knownAccounts(accountsFolder);
  return known.length === 1 ? known[0] : undefined;
}

/** The same of a profile that another engine may run for: nothing is touched, a note that cannot be read says nobody. */
export function signedInOf(accountsFolder: string): BareJid | undefined {
  try {
    return readNote(readFileSync(noteFile(accountsFolder), 'utf8'))?.jid ?? undefined;
  } catch {
    // Missing or unreadable: there is nobody to show.
    return undefined;
  }
}

/**
 * From now on this profile is signed in with the account that its person has moved to, whenever the program ends. When the folder
 * cannot have its name, with the one before.
 */
export async function noteMoved(accountsFolder: string, from: BareJid, to: BareJid): Promise<void> {
  await writeFileAtomically(noteFile(accountsFolder), JSON.stringify({ jid: to, movedFrom: from }));
  try {
    await moveFolder(accountsFolder, from, to);
  } catch (error) {
    await noteSignedIn(accountsFolder, from);
    throw error;
  }
  await noteSignedIn(accountsFolder, to);
}

async function finishMove(accountsFolder: string, { jid, movedFrom }: Note): Promise<BareJid | null> {
  if (jid !== null && movedFrom !== null) await noteMoved(accountsFolder, movedFrom, jid);
  return jid;
}

export async function noteSignedIn(accountsFolder: string, jid: BareJid | null): Promise<void> {
  await writeFileAtomically(noteFile(accountsFolder), JSON.stringify({ jid }));
}

function noteFile(accountsFolder: string): string {
  return path.join(accountsFolder, 'signed-in.json');
}

async function knownAccounts(accountsFolder: string): Promise<BareJid[]> {
  const entries = await readdir(accountsFolder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const jid = entry.isDirectory() ? accountOfFolder(entry.name) : undefined;
    return jid === undefined ? [] : [jid];
  });
}

/** undefined = the note is damaged. */
function readNote(text: string): Note | undefined {
  try {
    const { jid, movedFrom } = schema.parse(JSON.parse(text));
    const before = movedFrom === undefined ? null : parseBareJid(movedFrom);
    return { jid: jid === null ? null : parseBareJid(jid), movedFrom: before };
  } catch {
    // Whatever is wrong with it, it tells us nothing.
    return undefined;
  }
}
