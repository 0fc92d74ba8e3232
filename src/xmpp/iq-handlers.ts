import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { attr } from './element.ts';
import type { IqHandler } from './port.ts';
import type { Session } from './session.ts';
import { errorElement } from './stanza-error.ts';

interface RegisteredHandler {
  readonly type: 'get' | 'set';
  readonly xmlns: string;
  readonly name: string;
  handler: IqHandler | undefined;
}

/** Who answers the requests of others, over all connections of an account. */
export class IqHandlers {
  readonly #own: BareJid;
  readonly #log: Logger;
  readonly #entries: RegisteredHandler[] = [];

  constructor(deps: { readonly own: BareJid; readonly log: Logger }) {
    this.#own = deps.own;
    this.#log = deps.log;
  }

  /** `session`: the connection of now, if there is one; the next ones are given to `install`. */
  add(request: Omit<RegisteredHandler, 'handler'>, handler: IqHandler, session: Session | undefined): Disposable {
    const { type, xmlns, name } = request;
    let entry = this.#entries.find((known) => known.type === type && known.xmlns === xmlns && known.name === name);
    if (entry === undefined) {
      entry = { ...request, handler };
      this.#entries.push(entry);
      if (session !== undefined) this.#install(session, entry);
    } else if (entry.handler === undefined) entry.handler = handler;
    else throw new AppError('conflict', 'this request has a handler already', { xmlns, name });
    const registered = entry;
    return {
      [Symbol.dispose]: () => {
        registered.handler = undefined;
      },
    };
  }

  install(session: Session): void {
    for (const entry of this.#entries) this.#install(session, entry);
  }

  #install(session: Session, entry: RegisteredHandler): void {
    session.handleIq(entry.type, entry.xmlns, entry.name, async (stanza) => {
      const payload = stanza.getChildElements()[0];
      if (entry.handler === undefined || payload === undefined) return errorElement('not-found');
      try {
        return await entry.handler({ type: entry.type, from: attr(stanza, 'from') ?? this.#own, payload });
      } catch (error) {
        this.#log.warn('a request was refused', { name: entry.name, error });
        return errorElement(errorCode(error));
      }
    });
  }
}
