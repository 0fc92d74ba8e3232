import { existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';

/** What `encodeURIComponent` leaves and a file system or a shell takes amiss: a dot at the end is lost on Windows. */
const AWKWARD = /[!'()*~]|\.$/g;

/** The name of an account's folder, the same on every system. */
export function accountFolderName(jid: BareJid): string {
  return encodeURIComponent(jid).replace(AWKWARD, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The account behind a folder's name; undefined for what is no account's folder. */
export function accountOfFolder(name: string): BareJid | undefined {
  try {
    return parseBareJid(decodeURIComponent(name));
  } catch {
    // Something else lies there.
    return undefined;
  }
}

/** The account's folder. One that an earlier version named in its own way gets its name of today. */
export function accountFolder(accountsFolder: string, jid: BareJid): string {
  const folder = path.join(accountsFolder, accountFolderName(jid));
  const before = path.join(accountsFolder, encodeURIComponent(jid));
  if (before !== folder && !existsSync(folder) && existsSync(before)) renameSync(before, folder);
  return folder;
}
