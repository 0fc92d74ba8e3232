import type { BareJid } from '../base/id.ts';

/** What an account needs to sign in. */
export interface XmppLogin {
  readonly jid: BareJid;
  readonly password: string;
  /** Where to connect, instead of what the domain's records say. The certificate must still name the domain. */
  readonly server?: { readonly host: string; readonly port: number; readonly directTls?: boolean } | undefined;
  /** PEM certificates to trust instead of the platform's. */
  readonly ca?: readonly string[] | undefined;
  readonly resource?: string | undefined;
}
