// XEP-0215: External Service Discovery, version 1.0.0
import { isIPv6 } from 'node:net';
import { AppError } from '../../base/errors.ts';
import { attr, child, children, type Element, readInteger, xml } from '../element.ts';
import { sameJid } from '../jid.ts';
import type { XmppPort } from '../port.ts';
import { errorCondition } from '../stanza-error.ts';
import { parseDateTime } from './0082-datetime.ts';

const NS_SERVICES = 'urn:xmpp:extdisco:2';
/** More than any real server names; what is beyond is left out. */
const MAX_SERVICES = 16;
const MAX_SECRET = 512;
const HOST = /^[0-9a-z](?:[0-9a-z.-]{0,252})$/i;

/** A STUN or TURN server over UDP, by the word of our own server. */
export interface ExternalService {
  readonly type: 'stun' | 'turn';
  /** A host name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Whether it answers only those with name and password. */
  readonly isRestricted: boolean;
  /** In ms since the epoch; null = the server names no end. */
  readonly expiresMs: number | null;
}

/** The STUN and TURN servers of an answer or a push; others and malformed ones are left out. */
export function readExternalServices(stanza: Element): ExternalService[] {
  const list = child(stanza, 'services', NS_SERVICES) ?? child(stanza, 'credentials', NS_SERVICES);
  return children(list, 'service', NS_SERVICES)
    .flatMap((element) => readService(element) ?? [])
    .slice(0, MAX_SERVICES);
}

/** Those the server offers, with the credentials it gives; none when it knows nothing of this extension. */
export async function askExternalServices(client: XmppPort, signal?: AbortSignal): Promise<ExternalService[]> {
  const services = await ask(client, xml('services', { xmlns: NS_SERVICES }), signal);
  return await Promise.all(services.map((service) => withCredentials(client, service, signal)));
}

/** Calls back when our own server says that its services changed (§3.2); what they are now is to be asked. */
export function onExternalServices(client: XmppPort, changed: () => void): Disposable {
  return client.handleIq('set', NS_SERVICES, 'services', ({ from }) => {
    // §7: anybody else could lead our streams over machines of theirs.
    if (!sameJid(from, client.domain)) throw new AppError('not-allowed', 'only the server tells about its services');
    changed();
    return undefined;
  });
}

/** §3.3 */
async function withCredentials(
  client: XmppPort,
  service: ExternalService,
  signal?: AbortSignal,
): Promise<ExternalService> {
  if (!service.isRestricted || service.password !== '') return service;
  const { type, host, port } = service;
  const question = xml('credentials', { xmlns: NS_SERVICES }, xml('service', { type, host, port }));
  const answers = await ask(client, question, signal);
  return answers.find((answer) => answer.type === type && answer.host === host && answer.port === port) ?? service;
}

async function ask(client: XmppPort, question: Element, signal?: AbortSignal): Promise<ExternalService[]> {
  try {
    return readExternalServices(await client.iq('get', client.domain, question, signal));
  } catch (error) {
    // A server that refuses the question has answered it: nothing is there for us.
    if (errorCondition(error) === undefined) throw error;
    return [];
  }
}

function readService(element: Element): ExternalService | undefined {
  const type = attr(element, 'type');
  const host = attr(element, 'host') ?? '';
  // §4: the port is to be taken from the protocol when it is left out.
  const port = readInteger(attr(element, 'port') ?? '3478', 65_535);
  const username = attr(element, 'username') ?? '';
  const password = attr(element, 'password') ?? '';
  if (type !== 'stun' && type !== 'turn') return undefined;
  if ((attr(element, 'transport') ?? 'udp') !== 'udp' || attr(element, 'action') === 'delete') return undefined;
  if ((!HOST.test(host) && !isIPv6(host)) || port === undefined || port === 0) return undefined;
  if (username.length > MAX_SECRET || password.length > MAX_SECRET) return undefined;
  const isRestricted = ['1', 'true'].includes(attr(element, 'restricted') ?? '');
  const expiresMs = parseDateTime(attr(element, 'expires')) ?? null;
  return { type, host, port, username, password, isRestricted, expiresMs };
}
