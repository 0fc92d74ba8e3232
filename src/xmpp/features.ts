import { AppError } from '../base/errors.ts';
import type { XmppPort } from './port.ts';
import { errorCondition } from './stanza-error.ts';
import { askDiscoInfo, askDiscoItems, type DiscoInfo } from './xep/0030-disco.ts';

/** What an account's server can do for us. */
export interface ServerFeatures {
  /** The address of the service that hosts new rooms. */
  readonly muc: string;
  readonly pep: true;
  /** Whether nodes can be created with their access rule (XEP-0060 §7.1.5). */
  readonly publishOptions: boolean;
  readonly archive: boolean;
  readonly carbons: boolean;
}

const NS_MUC = 'http://jabber.org/protocol/muc';
const MAX_SERVICES = 20;

/** Rejects with `server-lacks-pep` or `server-lacks-rooms` when spheres cannot work on this server. */
export async function checkServer(client: XmppPort, signal: AbortSignal): Promise<ServerFeatures> {
  const [server, account] = await Promise.all([
    askDiscoInfo(client, client.domain, signal),
    askDiscoInfo(client, client.jid, signal),
  ]);
  // XEP-0163 §6.1: the account itself says that it is a personal eventing service.
  const pep = account.identities.some(({ category, type }) => category === 'pubsub' && type === 'pep');
  if (!pep) throw new AppError('server-lacks-pep', 'the server has no personal eventing (XEP-0163)');
  const features = new Set([...server.features, ...account.features]);
  return {
    muc: await findRoomService(client, signal),
    pep,
    publishOptions: features.has('http://jabber.org/protocol/pubsub#publish-options'),
    archive: features.has('urn:xmpp:mam:2'),
    carbons: features.has('urn:xmpp:carbons:2'),
  };
}

async function findRoomService(client: XmppPort, signal: AbortSignal): Promise<string> {
  const items = await askDiscoItems(client, client.domain, signal);
  for (const address of items.slice(0, MAX_SERVICES)) {
    const info = await askService(client, address, signal);
    if (info !== undefined && isRoomService(info)) return address;
  }
  throw new AppError('server-lacks-rooms', 'the server has no room service (XEP-0045)');
}

async function askService(client: XmppPort, address: string, signal: AbortSignal): Promise<DiscoInfo | undefined> {
  try {
    return await askDiscoInfo(client, address, signal);
  } catch (error) {
    // One listed service that is down says nothing about the others.
    if (errorCondition(error) !== undefined) return undefined;
    throw error;
  }
}

// XEP-0045 §6.1; a gateway to another network also calls itself a conference.
function isRoomService({ identities, features }: DiscoInfo): boolean {
  return (
    features.includes(NS_MUC) && identities.some(({ category, type }) => category === 'conference' && type !== 'irc')
  );
}
