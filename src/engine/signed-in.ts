import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import { fileError, systemCode } from '../torrent/file-error.ts';
import { accountOfFolder } from './account-folder.ts';
import { writeFileAtomically } from './atomic-file.ts';

/** Which account this profile is signed in with; read at the next start. */
const schema = z.object({ jid: z.string().nullable() });

/** The account that this profile is signed in with; undefined for nobody. */
export async function readSignedIn(accountsFolder: string): Promise<BareJid | undefined> {
  let note: string;
  try {
    note = await readFile(noteFile(accountsFolder), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(error, 'the note of who is signed in cannot be read');
  }
  const jid = readNote(note);
  if (jid !== undefined) return jid ?? undefined;
  // A damaged note must not look like a new profile: the only account there is was the one.
  const known = await knownAccounts(accountsFolder);
  return known.length === 1 ? known[0] : undefined;
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

/** null = nobody, as it was noted; undefined = the note is damaged. */
function readNote(text: string): BareJid | null | undefined {
  try {
    const { jid } = schema.parse(JSON.parse(text));
    return jid === null ? null : parseBareJid(jid);
  } catch {
    // Whatever is wrong with it, it tells us nothing.
    return undefined;
  }
}
