import { type BareJid, parseBareJid } from '../../base/id.ts';
import { readServerInvitation } from '../../base/xmpp-uri.ts';
import { PUBLIC_SERVERS } from './public-servers.ts';

/** What a person picked: the domain of a public server, `other` with `domain`, `invited` with `link`, or nothing yet. */
export interface ServerPick {
  readonly choice: string;
  readonly domain: string;
  readonly link: string;
}

/** Where the account will be. */
export interface ChosenServer {
  readonly domain: string;
  /** Where the server makes accounts; null: here, as far as is known. */
  readonly webPage: string | null;
  /** The link by which the server lets this person in. */
  readonly invitation: string | null;
  /** The address that the invitation is for; null: any. */
  readonly jid: BareJid | null;
}

/** null as long as something is missing or wrong. */
export function chooseServer({ choice, domain, link }: ServerPick): ChosenServer | null {
  if (choice === 'invited') {
    const read = readServerInvitation(link);
    return read === undefined ? null : { domain: read.domain, webPage: null, invitation: link.trim(), jid: read.jid };
  }
  const found = domainOf(choice === 'other' ? domain : choice);
  if (found === null) return null;
  const webPage = PUBLIC_SERVERS.find((server) => server.domain === found)?.webPage ?? null;
  return { domain: found, webPage, invitation: null, jid: null };
}

/** The address that somebody with this name gets; a name that was typed as a whole address of that server is one too. */
export function newAddress(name: string, domain: string): BareJid | null {
  const typed = name.trim().toLowerCase();
  const local = typed.endsWith(`@${domain}`) ? typed.slice(0, -domain.length - 1) : typed;
  return accountOf(`${local}@${domain}`);
}

/** A server is known by its name alone; where it is reached otherwise is told apart. */
function domainOf(text: string): string | null {
  const guest = text.includes(':') ? null : accountOf(`guest@${text.trim()}`);
  return guest?.slice('guest@'.length) ?? null;
}

function accountOf(address: string): BareJid | null {
  try {
    return parseBareJid(address);
  } catch {
    // The field says what is missing; there is nothing else to report.
    return null;
  }
}
