import { getCACertificates } from 'node:tls';
import { AppError } from '../base/errors.ts';
import type { AccountRow } from '../storage/account-table.ts';
import type { XmppLogin } from '../xmpp/login.ts';

/** How an account signs in. */
export function loginOf(account: AccountRow): XmppLogin {
  const { jid, password, server, ca } = account;
  return {
    jid,
    password,
    ...(server === null ? {} : { server: parseServer(server) }),
    ...(ca === null ? {} : { ca: [...getCACertificates('default'), ca] }),
  };
}

const DIRECT_TLS_PORTS = new Set([443, 5223]);

/** `host:port`, IPv6 in brackets. The ports of direct TLS are told by their number, as servers use them. */
export function parseServer(text: string): { host: string; port: number; directTls: boolean } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port < 1 || port > 65_535) {
    throw new AppError('bad-input', 'a server is given as host:port', {});
  }
  return { host, port, directTls: DIRECT_TLS_PORTS.has(port) };
}
