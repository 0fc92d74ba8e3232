import { AppError } from '../base/errors.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { errorCondition } from '../xmpp/stanza-error.ts';
import type { BlockNews } from '../xmpp/xep/0191-blocking.ts';
import { blockAccount, fetchBlockList, onBlockNews, unblockAccount } from '../xmpp/xep/0191-blocking.ts';
import { MovingIn } from './moving-in.ts';

interface BlockListDeps {
  readonly client: XmppPort;
  readonly storage: Storage;
  readonly log: Logger;
}

/** Whom we shut out: the server keeps their words from us, and what comes all the same is not looked at. */
export class BlockList implements Disposable {
  /** This person is shut out, or no longer. */
  readonly onChange: Emitter<BareJid>;
  readonly #deps: BlockListDeps;
  readonly #news: Disposable;
  /** Whether the server keeps the list. */
  #isKept = false;

  constructor(deps: BlockListDeps) {
    this.#deps = deps;
    this.onChange = new Emitter((error) => deps.log.error('block listener failed', { error }));
    this.#news = onBlockNews(deps.client, (news) => this.#learn(news));
  }

  /** In each new session: the server's list is the one that counts. */
  async begin(signal: AbortSignal): Promise<void> {
    const { client, log } = this.#deps;
    try {
      this.#replace(await fetchBlockList(client, signal));
      this.#isKept = true;
    } catch (error) {
      if (errorCondition(error) === undefined) throw error;
      // A server without such lists: ours works alone.
      this.#isKept = false;
      log.info('the server keeps no list of blocked people', { error });
    }
  }

  /** With `report` the people who run our server hear that this account sends what nobody wants. */
  async block(jid: BareJid, options: { readonly report: boolean }, signal: AbortSignal): Promise<void> {
    const { client } = this.#deps;
    if (jid === client.jid) throw new AppError('conflict', 'this is our own address');
    if (this.#isKept) await blockAccount(client, jid, options, signal);
    this.#learn({ kind: 'blocked', jids: [jid] });
  }

  async unblock(jid: BareJid, signal: AbortSignal): Promise<void> {
    if (this.#isKept) await unblockAccount(this.#deps.client, jid, signal);
    this.#learn({ kind: 'unblocked', jids: [jid] });
  }

  [Symbol.dispose](): void {
    this.#news[Symbol.dispose]();
  }

  #replace(jids: readonly BareJid[]): void {
    const { storage } = this.#deps;
    const { blocked } = storage;
    const listed = new Set([...jids, ...MovingIn.blocked(storage)]);
    const gone = blocked.list().filter((jid) => !listed.has(jid));
    this.#learn({ kind: 'unblocked', jids: gone });
    this.#learn({ kind: 'blocked', jids });
  }

  #learn(news: BlockNews): void {
    const { blocked } = this.#deps.storage;
    const jids = news.kind === 'nobody' ? blocked.list() : news.jids;
    const changed = jids.filter((jid) => (news.kind === 'blocked' ? blocked.add(jid) : blocked.remove(jid)));
    for (const jid of changed) this.onChange.emit(jid);
  }
}
