// RFC 6120: XMPP Core, §3
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { domainOf } from './jid.ts';
import type { XmppLogin } from './login.ts';
import { openSecureSocket } from './secure-socket.ts';
import { findServerAddresses, type ServerAddress, type SrvResolver } from './server-address.ts';
import { type Resumption, Session, type SessionListener } from './session.ts';

interface ConnectDeps {
  readonly login: XmppLogin;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly resolver?: SrvResolver;
}

interface SignInDeps extends ConnectDeps {
  readonly resumption: Resumption | undefined;
  readonly listener: SessionListener;
  /** Called before the first byte is read, to set up what the session answers. */
  readonly install: (session: Session) => void;
}

/** Finds the server, proves its identity and signs in. */
export async function connectAccount(deps: SignInDeps, signal: AbortSignal): Promise<Session> {
  const { login, clock, random, log, resumption, listener, install } = deps;
  const socket = await openAccountSocket(deps, signal);
  return await Session.open({ socket, login, resumption, listener, install, clock, random, log }, signal);
}

/** A proven connection to the server of an account; the addresses are tried in order. */
export async function openAccountSocket(deps: ConnectDeps, signal: AbortSignal): Promise<TLSSocket> {
  const { login, clock, log } = deps;
  const domain = domainOf(login.jid);
  const addresses = await addressesOf(deps, domain, signal);
  let worst: AppError | undefined;
  for (const address of addresses) {
    try {
      return await openSecureSocket({ address, domain, ca: login.ca, clock }, signal);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.warn('an address of the server failed', { host: address.host, port: address.port, error });
      // A server that answers wrongly tells the user more than one that does not answer.
      if (worst === undefined || worst.code === 'server-unreachable') worst = error;
    }
  }
  throw worst ?? new AppError('server-unreachable', 'the domain has no server');
}

async function addressesOf(deps: ConnectDeps, domain: string, signal: AbortSignal): Promise<readonly ServerAddress[]> {
  const { server } = deps.login;
  if (server === undefined) return await findServerAddresses(domain, deps, signal);
  return [{ host: server.host, port: server.port, directTls: server.directTls ?? false }];
}
