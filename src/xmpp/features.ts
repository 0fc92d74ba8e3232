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
  const addresses = (await askDiscoItems(client, client.domain, signal)).slice(0, MAX_SERVICES);
  const answers = await Promise.all(addresses.map((address) => askService(client, address, signal)));
  const found = addresses.find((_, index) => {
    const answer = answers[index];
    return answer !== undefined && !(answer instanceof AppError) && isRoomService(answer);
  });
  if (found !== undefined) return found;
  // The one that was silent may be the room service: only an answer can say that there is none.
  const silence = answers.find((answer) => answer instanceof AppError && answer.code === 'timed-out');
  throw silence ?? new AppError('server-lacks-rooms', 'the server has no room service (XEP-0045)');
}

/** One listed service that is down or silent says nothing about the others. */
async function askService(client: XmppPort, address: string, signal: AbortSignal): Promise<DiscoInfo | AppError> {
  try {
    return await askDiscoInfo(client, address, signal);
  } catch (error) {
    if (error instanceof AppError && (error.code === 'timed-out' || errorCondition(error) !== undefined)) return error;
    throw error;
  }
}

// XEP-0045 §6.1; a gateway to another network also calls itself a conference.
function isRoomService({ identities, features }: DiscoInfo): boolean {
  return (
    features.includes(NS_MUC) && identities.some(({ category, type }) => category === 'conference' && type !== 'irc')
  );
}
