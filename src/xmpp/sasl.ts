// RFC 6120: XMPP Core, §6
// XEP-0440: SASL Channel-Binding Type Capability, version 0.4.2
import type { TLSSocket } from 'node:tls';
import type { Mechanism, SaslFactory } from '@xmpp/client';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { channelBindings } from './channel-binding.ts';
import { attr, child, children, type Element } from './element.ts';
import { type ChannelBinding, ScramExchange } from './scram.ts';

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
const NS_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0';
/** Best first: bound to the connection before the longer hash; the bare password only where nothing else is offered. */
const PREFERRED = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const;
/** A server that names no kinds knows the oldest one. ejabberd offers -PLUS over TLS 1.3 too, and then refuses its kind. */
const TOLD_BY_NOBODY: readonly string[] = ['tls-unique'];
const NONCE_BYTES = 18;

interface SaslDeps {
  readonly socket: TLSSocket;
  readonly username: string;
  readonly password: string;
  readonly random: RandomBytes;
}

/** How one connection signs in. The vendor library carries the messages; their content and the judgement are ours. */
export class Sasl {
  readonly #deps: SaslDeps;
  #offered: readonly string[] = [];
  #bindingTypes: readonly string[] | undefined;
  #exchange: ScramExchange | undefined;
  #success: string | undefined;
  #mechanism = '';

  constructor(deps: SaslDeps, factory: SaslFactory) {
    this.#deps = deps;
    const plain = factory._mechs.filter(({ name }) => name === 'PLAIN');
    const scram = PREFERRED.filter((name) => name !== 'PLAIN').map((name) => ({ name, mech: this.#make(name) }));
    factory._mechs = [...scram, ...plain];
  }

  /** Listens to what is no stanza: the features, and what comes with the server's word that we are in. */
  hear(element: Element): void {
    const mechanisms = child(element, 'mechanisms', NS_SASL);
    if (mechanisms !== undefined) {
      this.#offered = children(mechanisms, 'mechanism').map((entry) => entry.getText());
      const types = child(element, 'sasl-channel-binding', NS_CHANNEL_BINDING);
      this.#bindingTypes =
        types === undefined
          ? undefined
          : children(types, 'channel-binding').flatMap((entry) => attr(entry, 'type') ?? []);
    }
    if (element.is('success', NS_SASL)) this.#success = Buffer.from(element.getText(), 'base64').toString();
  }

  /** The best way that both sides know; undefined when there is none. */
  choose(): string | undefined {
    const canBind = this.#binding() !== undefined;
    const possible = PREFERRED.filter((name) => canBind || !name.endsWith('-PLUS'));
    const found = possible.find((name) => this.#offered.includes(name));
    this.#mechanism = found ?? '';
    return found;
  }

  /** How the sign-in went, as "SCRAM-SHA-256"; empty before. */
  get mechanism(): string {
    return this.#mechanism;
  }

  /** To be called after the server said that we are in. Throws `bad-certificate` unless it has proven itself, where it can. */
  finish(): void {
    if (this.#exchange === undefined || this.#exchange.isProven) return;
    // RFC 6120 §6.3.10: the server's last message mostly comes with its success.
    this.#exchange.prove(this.#success ?? '');
  }

  #make(name: string): new () => Mechanism {
    const begin = (): ScramExchange => this.#begin(name);
    return class implements Mechanism {
      readonly name = name;
      readonly clientFirst = true;
      readonly #exchange = begin();
      #next: string | Promise<string> = this.#exchange.firstMessage;

      async response(): Promise<string> {
        return await this.#next;
      }

      async challenge(text: string): Promise<void> {
        // RFC 6120 §6.3.10: or it comes as one more challenge.
        if (text.startsWith('v=')) {
          this.#exchange.prove(text);
          this.#next = '';
        } else this.#next = await this.#exchange.finalMessage(text);
      }
    };
  }

  #begin(name: string): ScramExchange {
    const { username, password, random } = this.#deps;
    const binding = this.#binding();
    const isBound = name.endsWith('-PLUS');
    if (isBound && binding === undefined) throw new AppError('internal', 'this connection cannot be bound');
    // RFC 5802 §6: only a server that offers no binding at all is told that we could, whatever became of the kinds it named.
    const isOffered = this.#offered.some((offered) => offered.endsWith('-PLUS'));
    const canBind = channelBindings(this.#deps.socket).length > 0;
    const unbound = canBind && !isOffered ? 'unused' : 'impossible';
    this.#exchange = new ScramExchange({
      hash: name.startsWith('SCRAM-SHA-256') ? 'sha256' : 'sha1',
      username,
      password,
      binding: isBound && binding !== undefined ? binding : unbound,
      nonce: toHex(random(NONCE_BYTES)),
    });
    return this.#exchange;
  }

  /** The strongest that the server knows too. */
  #binding(): ChannelBinding | undefined {
    const known = this.#bindingTypes ?? TOLD_BY_NOBODY;
    return channelBindings(this.#deps.socket).find(({ type }) => known.includes(type));
  }
}
