import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { Storage } from '../storage/storage.ts';
import type { Element } from '../xmpp/element.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { readCarbon } from '../xmpp/xep/0280-carbons.ts';
import { newestArchiveId, resumeArchive } from '../xmpp/xep/0313-mam.ts';
import type { TalkNote } from './direct-talk.ts';
import type { IncomingMessage, OwnMessage } from './incoming-message.ts';
import { isOwnFault } from './own-fault.ts';
import type { Bounce } from './read-stanza.ts';
import { readBounce, readDirectMessage, readOwnMessage } from './read-stanza.ts';
import { readTalkNotes } from './read-talk-notes.ts';

interface DirectMailDeps {
  readonly client: XmppPort;
  readonly own: BareJid;
  readonly storage: Storage;
  readonly receive: (message: IncomingMessage, signal: AbortSignal) => Promise<void>;
  /** Our archive holds a message of ours. */
  readonly onOwn: (message: OwnMessage) => Promise<void>;
  /** A word about lines or their author; `isLive`: it was said just now. */
  readonly onNote: (note: TalkNote, isLive: boolean) => void;
  /** A message of ours came back. */
  readonly bounced: (bounce: Bounce) => void;
  readonly hasArchive: () => boolean;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Id of the last entry dealt with, empty for the beginning. */
const CURSOR = 'direct-archive-cursor';

/** Messages between our account and others, invitations among them: from the archive where we stopped, then live. */
export class DirectMail implements Disposable {
  /** Our disk could not take what came: the archive gives it again. */
  readonly onMissed: Emitter<void>;
  readonly #deps: DirectMailDeps;
  readonly #queue = new SerialQueue();
  readonly #stops: (() => void)[];
  #isRead = false;

  constructor(deps: DirectMailDeps) {
    this.#deps = deps;
    this.onMissed = new Emitter((error) => deps.log.error('missed listener failed', { error }));
    this.#stops = [
      deps.client.onStanza.on((stanza) => void this.#take(stanza)),
      deps.client.onState.on(({ kind }) => {
        if (kind !== 'online') this.#isRead = false;
      }),
    ];
  }

  /** Of an account that is new here. */
  static forget({ settings }: Pick<Storage, 'settings'>): void {
    settings.remove(CURSOR);
  }

  /** Whether the archive was read since the connection is there, or cannot be: what it holds of ours has been told. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /**
   * Before this device is listed for the first time: what lies in the archive by then was written to others, and may be
   * the talk of years.
   */
  begin(): Promise<void> {
    return this.#queue.run(async () => {
      const { client, storage, signal, hasArchive } = this.#deps;
      if (!hasArchive() || storage.settings.get(CURSOR, String) !== undefined) return;
      storage.settings.set(CURSOR, (await newestArchiveId(client, signal)) ?? '');
    });
  }

  /** After each new session. */
  catchUp(): Promise<void> {
    return this.#queue.run(async () => {
      try {
        if (this.#deps.hasArchive()) await this.#readArchive();
      } finally {
        // Nobody's words wait for an archive that cannot be read.
        this.#isRead = this.#deps.client.state.kind === 'online';
      }
    });
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  async #readArchive(): Promise<void> {
    const { client, storage, own, clock, signal, onOwn } = this.#deps;
    const cursor = storage.settings.get(CURSOR, String) ?? '';
    for await (const entry of resumeArchive(client, { after: cursor === '' ? undefined : cursor }, signal)) {
      const ours = readOwnMessage(own, entry.message);
      if (ours !== undefined) await onOwn(ours);
      await this.#receive(readDirectMessage(own, entry.message, entry, clock.now()));
      const notes = readTalkNotes(own, entry.message, entry.delayMs ?? clock.now());
      for (const note of notes) this.#deps.onNote(note, false);
      // A note that is on the disk too late only has what is known read once more.
      storage.transaction(() => storage.settings.set(CURSOR, entry.id), 'later');
    }
  }

  async #take(outer: Element): Promise<void> {
    const { own, clock, signal, log } = this.#deps;
    // What another device of ours sends and gets is told to this one too.
    const carbon = readCarbon(outer, own);
    const stanza = carbon?.message ?? outer;
    const bounce = readBounce(stanza);
    if (bounce !== undefined) this.#deps.bounced(bounce);
    const message = readDirectMessage(own, stanza, null, clock.now(), carbon !== undefined);
    const notes = readTalkNotes(own, stanza, clock.now());
    if (message === undefined && notes.length === 0) return;
    try {
      await this.#queue.run(async () => {
        await this.#receive(message);
        for (const note of notes) this.#deps.onNote(note, true);
      });
    } catch (error) {
      if (signal.aborted) return;
      log.error('direct message not processed', { error });
      if (isOwnFault(error)) this.onMissed.emit();
    }
  }

  async #receive(message: IncomingMessage | undefined): Promise<void> {
    if (message !== undefined) await this.#deps.receive(message, this.#deps.signal);
  }
}
