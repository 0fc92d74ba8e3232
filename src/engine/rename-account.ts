import type { BareJid } from '../base/id.ts';
import type { AccountRow } from '../storage/account-table.ts';
import type { Storage } from '../storage/storage.ts';
import { changeAccount } from './change-account.ts';
import { noteMoved } from './signed-in.ts';

interface RenameDeps {
  readonly accountsFolder: string;
  readonly openStorage: (jid: BareJid) => Promise<Storage>;
}

/**
 * Makes of an account that is closed the one that its person has moved to, on this computer. The folder comes first: when it
 * cannot have the new name nothing has changed, and when the program ends in between the database says whose it is.
 */
export async function renameAccount(
  { accountsFolder, openStorage }: RenameDeps,
  from: BareJid,
  account: AccountRow,
): Promise<void> {
  await noteMoved(accountsFolder, from, account.jid);
  using storage = await openStorage(account.jid);
  changeAccount(storage, from, account);
}
