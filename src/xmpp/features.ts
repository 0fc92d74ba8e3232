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

/** What the server and the account say of themselves. */
export interface ServerProfile {
  readonly pep: boolean;
  readonly features: ReadonlySet<string>;
  /** The name of the program; it may be anything. */
  readonly software: string | undefined;
}

/** Rejects with `server-lacks-pep` or `server-lacks-rooms` when spheres cannot work on this server. */
export async function checkServer(client: XmppPort, signal: AbortSignal): Promise<ServerFeatures> {
  // Beside the other questions: on a slow line each one after the other takes a second.
  const finding = findRoomService(client, signal);
  finding.catch(() => undefined);
  const { pep, features } = await askServer(client, signal);
  if (!pep) throw new AppError('server-lacks-pep', 'the server has no personal eventing (XEP-0163)');
  const muc = await finding;
  if (muc === undefined) throw new AppError('server-lacks-rooms', 'the server has no room service (XEP-0045)');
  return {
    muc,
    pep,
    publishOptions: features.has('http://jabber.org/protocol/pubsub#publish-options'),
    archive: features.has('urn:xmpp:mam:2'),
    carbons: features.has('urn:xmpp:carbons:2'),
  };
}

export async function askServer(client: XmppPort, signal: AbortSignal): Promise<ServerProfile> {
  const [server, account] = await Promise.all([
    askDiscoInfo(client, client.domain, signal),
    askDiscoInfo(client, client.jid, signal),
  ]);
  return {
    // XEP-0163 §6.1: the account itself says that it is a personal eventing service.
    pep: account.identities.some(({ category, type }) => category === 'pubsub' && type === 'pep'),
    features: new Set([...server.features, ...account.features]),
    software: server.identities.find(({ category, type }) => category === 'server' && type === 'im')?.name,
  };
}

/** The address of the service that hosts rooms; undefined when there is none, which only answers of all can say. */
export async function findRoomService(
  client: XmppPort,
  signal: AbortSignal,
  server = client.domain,
): Promise<string | undefined> {
  const addresses = (await askDiscoItems(client, server, signal)).slice(0, MAX_SERVICES);
  const answers = await Promise.all(addresses.map((address) => askService(client, address, signal)));
  const found = addresses.find((_, index) => {
    const answer = answers[index];
    return answer !== undefined && !(answer instanceof AppError) && isRoomService(answer);
  });
  if (found !== undefined) return found;
  // The one that was silent may be the room service: only an answer can say that there is none.
  const silence = answers.find((answer) => answer instanceof AppError && answer.code === 'timed-out');
  if (silence !== undefined) throw silence;
  return undefined;
}

/** The room service of a server that a person names, which may be that service itself. Rejects with `not-found` when there is none. */
export async function roomServiceOf(client: XmppPort, server: string, signal: AbortSignal): Promise<string> {
  if (isRoomService(await askDiscoInfo(client, server, signal))) return server;
  const service = await findRoomService(client, signal, server);
  if (service === undefined) throw new AppError('not-found', 'the server has no room service (XEP-0045)');
  return service;
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
