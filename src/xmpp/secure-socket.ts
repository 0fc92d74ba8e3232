// RFC 6120: XMPP Core, §5 (STARTTLS)
// XEP-0368: SRV records for XMPP over TLS, version 1.1.0
import net from 'node:net';
import tls from 'node:tls';
import { domainToASCII } from 'node:url';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { withDeadline } from './deadline.ts';
import { child, xml } from './element.ts';
import { NegotiationStream } from './negotiation-stream.ts';
import type { ServerAddress } from './server-address.ts';

const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
const CONNECT_MS = 15_000;
/** Name and first answer. After three seconds a system asks so rarely that a new attempt is quicker. */
const ANSWER_MS = 5000;
/** What the system says when packets reach nobody. */
const NO_ANSWER = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EAI_AGAIN', 'EADDRNOTAVAIL']);

export interface SecureSocketOptions {
  readonly address: ServerAddress;
  /** The domain of the account: what the certificate must name, whatever host the records point to. */
  readonly domain: string;
  readonly ca?: readonly string[] | undefined;
  readonly clock: Clock;
}

/**
 * Connects and starts TLS. Nothing of the account has been sent when it resolves, and it resolves only
 * when the certificate names the domain. Rejects with `server-unreachable`, `bad-certificate` or `tls-required`.
 */
export async function openSecureSocket(options: SecureSocketOptions, signal: AbortSignal): Promise<tls.TLSSocket> {
  const { address, domain, clock } = options;
  const socket = net.connect({ host: address.host, port: address.port, noDelay: true, keepAlive: true });
  // A late error of a socket that was given up must not end the process.
  socket.on('error', () => undefined);
  let isAnswered = false;
  try {
    return await withDeadline(clock, CONNECT_MS, signal, async (deadline) => {
      await withDeadline(clock, ANSWER_MS, deadline, (answer) => event(socket, 'connect', answer));
      isAnswered = true;
      if (!address.directTls) await startTls(socket, domain, deadline);
      return await handshake(socket, options, deadline);
    });
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw connectionError(error, address, isAnswered);
  }
}

/** Whether a failure means that no packet came back: the network is away rather than the server. */
export function isNoAnswer(error: AppError): boolean {
  return error.details['answered'] === false;
}

async function startTls(socket: net.Socket, domain: string, signal: AbortSignal): Promise<void> {
  using stream = new NegotiationStream(socket);
  const features = await stream.open(domain, signal);
  // RFC 6120 §5.3.1: a stream without STARTTLS is either misconfigured or had it taken out on the way.
  if (child(features, 'starttls', NS_TLS) === undefined) {
    throw new AppError('tls-required', 'the server offers no encrypted connection');
  }
  stream.write(xml('starttls', { xmlns: NS_TLS }));
  const answer = await stream.next(signal);
  if (!answer.is('proceed', NS_TLS)) throw new AppError('tls-required', 'the server refused to encrypt the connection');
  // RFC 6120 §5.4.3.3: what came before TLS must not be taken for what came inside it.
  if (!stream.isQuiet) throw new AppError('tls-required', 'the server sent data between STARTTLS and TLS');
}

async function handshake(
  socket: net.Socket,
  options: SecureSocketOptions,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const { ca, address } = options;
  const domain = domainToASCII(options.domain) || options.domain;
  const secured = tls.connect({
    socket,
    // RFC 6120 §13.7.2.1: the reference identity is the domain, never the host that was looked up.
    host: domain,
    ...(net.isIP(domain) === 0 ? { servername: domain } : {}),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(address.directTls ? { ALPNProtocols: ['xmpp-client'] } : {}),
    ...(ca === undefined ? {} : { ca: [...ca] }),
  });
  secured.on('error', () => undefined);
  try {
    await event(secured, 'secureConnect', signal);
    return secured;
  } catch (error) {
    secured.destroy();
    throw error;
  }
}

function event(socket: net.Socket, name: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => (): void => {
      socket.off(name, onEvent);
      socket.off('error', onError);
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onEvent = settle(resolve);
    const onError = (error: unknown): void => settle(() => reject(error))();
    const onClose = settle(() => reject(new AppError('server-unreachable', 'the server closed the connection')));
    const onAbort = settle(() => reject(signal.reason));
    socket.once(name, onEvent);
    socket.once('error', onError);
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

const CERTIFICATE_CODE =
  /^(?:CERT_|ERR_TLS_CERT|.*SELF_SIGNED|UNABLE_TO_|.*ISSUER|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|CRL_)/;
const PROTOCOL_CODE = /^(?:ERR_SSL_|ERR_TLS_|EPROTO)/;

function connectionError(error: unknown, address: ServerAddress, isAnswered: boolean): AppError {
  if (error instanceof AppError && error.code !== 'timed-out') return error;
  const cause = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'none';
  const isSilence = !isAnswered && (cause === 'timed-out' || causesOf(error).some((code) => NO_ANSWER.has(code)));
  const details = { host: address.host, port: address.port, cause, answered: !isSilence };
  if (CERTIFICATE_CODE.test(cause)) {
    return new AppError('bad-certificate', 'the certificate does not prove that this is the server', details, error);
  }
  if (PROTOCOL_CODE.test(cause))
    return new AppError('tls-required', 'the server does not speak TLS 1.2 or later', details, error);
  return new AppError('server-unreachable', 'the server cannot be reached', details, error);
}

/** The codes of a failure and, when several addresses were tried, of each. */
function causesOf(error: unknown): string[] {
  const all: unknown[] = error instanceof AggregateError ? error.errors : [error];
  return all.flatMap((one) =>
    one instanceof Error && 'code' in one && typeof one.code === 'string' ? [one.code] : [],
  );
}
