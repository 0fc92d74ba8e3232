// XEP-0077: In-Band Registration, version 2.4
// XEP-0445: Pre-Authenticated In-Band Registration, version 0.2.0
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { openAccountSocket } from './connect.ts';
import { withDeadline } from './deadline.ts';
import { attr, type Element, xml } from './element.ts';
import { domainOf } from './jid.ts';
import type { XmppLogin } from './login.ts';
import { NegotiationStream } from './negotiation-stream.ts';
import { registrationError } from './registration-error.ts';
import { fillRegistration } from './registration-form.ts';
import type { SrvResolver } from './server-address.ts';
import { errorCondition, stanzaError } from './stanza-error.ts';
import { NS_REGISTER } from './xep/0077-own-account.ts';

const NS_PREAUTH = 'urn:xmpp:pars:0';
const ANSWER_MS = 20_000;

interface RegisterDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly resolver?: SrvResolver;
}

/** An account to be made; `token` out of an invitation, where the server lets in only whom somebody invited. */
type NewAccount = XmppLogin & { readonly token?: string | undefined };

/**
 * Creates the account on its server. Rejects with `name-taken`, `name-invalid`, `registration-refused`,
 * `registration-limited`, `registration-elsewhere`, `registration-asks-more`, `invitation-invalid` or what connecting
 * rejects with.
 */
export async function registerAccount(login: NewAccount, deps: RegisterDeps, signal: AbortSignal): Promise<void> {
  const socket = await openAccountSocket({ ...deps, login }, signal);
  try {
    await withDeadline(deps.clock, ANSWER_MS, signal, async (deadline) => {
      using stream = new NegotiationStream(socket);
      await stream.open(domainOf(login.jid), deadline);
      await register(login, (type, payload, to) =>
        request(stream, { type, id: toHex(deps.random(12)), to }, payload, deadline),
      );
    });
  } finally {
    socket.destroySoon();
  }
}

type Ask = (type: 'get' | 'set', payload: Element, to?: string) => Promise<Element>;

async function register(login: NewAccount, ask: Ask): Promise<void> {
  if (login.token !== undefined) await showInvitation(login.token, domainOf(login.jid), ask);
  try {
    const fields = await ask('get', xml('query', { xmlns: NS_REGISTER }));
    await ask('set', fillRegistration(login, fields));
  } catch (error) {
    throw registrationError(error);
  }
}

/** XEP-0445 §4.1: before anything else, so that the server creates an account at all. */
async function showInvitation(token: string, domain: string, ask: Ask): Promise<void> {
  try {
    await ask('set', xml('preauth', { xmlns: NS_PREAUTH, token }), domain);
  } catch (error) {
    const condition = errorCondition(error);
    if (condition === undefined) throw error;
    throw new AppError('invitation-invalid', 'the server does not take the invitation', { condition }, error);
  }
}

async function request(
  stream: NegotiationStream,
  attributes: { readonly type: 'get' | 'set'; readonly id: string; readonly to: string | undefined },
  payload: Element,
  signal: AbortSignal,
): Promise<Element> {
  stream.write(xml('iq', attributes, payload));
  for (;;) {
    const answer = await stream.next(signal);
    if (answer.name !== 'iq' || attr(answer, 'id') !== attributes.id) continue;
    if (attr(answer, 'type') === 'result') return answer;
    throw stanzaError(answer);
  }
}
