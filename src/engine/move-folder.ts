import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import type { BareJid } from '../base/id.ts';
import { fileError } from '../torrent/file-error.ts';
import { accountFolder, accountFolderName } from './account-folder.ts';

/**
 * Gives the folder of an account the name of the account that its person has moved to. Whatever lay there is put aside. Done
 * once more, or when it fails, it does nothing.
 */
export async function moveFolder(accountsFolder: string, from: BareJid, to: BareJid): Promise<void> {
  const [before, after] = [accountFolder(accountsFolder, from), accountFolder(accountsFolder, to)];
  if (!existsSync(before)) return;
  const aside = existsSync(after) ? freeName(path.join(accountsFolder, `before ${accountFolderName(to)}`)) : null;
  try {
    if (aside !== null) await rename(after, aside);
    await rename(before, after);
  } catch (error) {
    if (aside !== null && existsSync(aside)) await rename(aside, after);
    throw fileError(error, 'the folder of the account cannot be renamed');
  }
}

function freeName(wanted: string): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted} ${number}`;
    if (!existsSync(name)) return name;
  }
}
