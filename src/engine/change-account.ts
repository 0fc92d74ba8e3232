import type { BareJid } from '../base/id.ts';
import { MovingIn } from '../people/moving-in.ts';
import { parseAudience } from '../spheres/audience.ts';
import { DirectMail } from '../spheres/direct-mail.ts';
import { Vault } from '../spheres/vault.ts';
import type { AccountRow } from '../storage/account-table.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * Makes of an account's database that of another one of the same person and device, all at once. What is known of the former
 * server goes; whoever is on the lists there is noted, to be on those of the new account as well.
 */
export function changeAccount(storage: Storage, from: BareJid, account: AccountRow): void {
  const { omemo, outbox } = storage;
  storage.transaction(() => {
    MovingIn.note(storage, { from, to: account.jid });
    const { nick } = storage.account;
    storage.account.put(account);
    storage.account.setNick(nick);
    storage.portraits.move(from, account.jid);
    omemo.forgetSessions();
    DirectMail.forget(storage);
    Vault.forget(storage);
    // An introduction names the former account.
    for (const { id, sphereId, audience } of outbox.queued()) {
      if (sphereId === null && parseAudience(audience).kind === 'account') outbox.remove(id);
    }
  });
}
