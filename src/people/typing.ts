import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { TalkNote } from '../spheres/direct-talk.ts';
import type { EphemeralChannel, Speaker } from '../spheres/ephemeral-channel.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import { xml } from '../xmpp/element.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { chatState } from '../xmpp/xep/0085-chat-states.ts';
import { hint } from '../xmpp/xep/0334-hints.ts';
import { conversationIdOf } from './conversation-id.ts';
import type { People } from './people.ts';

interface TypingDeps {
  readonly client: XmppPort;
  readonly people: Pick<People, 'contacts' | 'onState'>;
  readonly channel: Pick<EphemeralChannel, 'on' | 'say'>;
  readonly list: Pick<SphereList, 'find'>;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** In a sphere it is said again so often, and believed so long. */
const AGAIN_MS = 10_000;
const MEMBER_MS = 25_000;
/** Other programs say it once. */
const PERSON_MS = 60_000;
/** The page says so as long as it goes on: one that is closed ends it. */
const STALE_MS = 15_000;
const SWEEP_MS = 5_000;
const MAX_CONVERSATIONS = 200;
const MAX_PEOPLE = 20;

/** Who is writing at this moment: told to those who are there, and heard from them. Nobody keeps any of it. */
export class Typing {
  /** Others write there now than before. */
  readonly onChange: Emitter<SphereId>;
  readonly #deps: TypingDeps;
  /** Where we are writing: when that was told, and when the page said so last. */
  readonly #told = new Map<SphereId, { readonly toldMs: number; lastMs: number }>();
  readonly #heard = new Map<SphereId, Map<BareJid, number>>();
  #isSweeping = false;

  constructor(deps: TypingDeps) {
    this.#deps = deps;
    this.onChange = new Emitter((error) => deps.log.error('typing listener failed', { error }));
    deps.people.onState.on((note) => this.#hearPerson(note));
    deps.channel.on('typing', (from, { isTyping }) => this.#hearMember(from, isTyping));
  }

  /** Who writes in this conversation, in the order in which they began. */
  whoIn(conversation: SphereId): readonly BareJid[] {
    return [...(this.#heard.get(conversation)?.keys() ?? [])];
  }

  /** The person writes in this conversation, or no longer does. */
  say(conversation: SphereId, isTyping: boolean): void {
    const known = this.#told.get(conversation);
    const nowMs = this.#deps.clock.monotonic();
    if (!isTyping) {
      if (this.#told.delete(conversation)) this.#tell(conversation, false);
      return;
    }
    if (known !== undefined) known.lastMs = nowMs;
    const isSphere = this.#deps.list.find(conversation) !== undefined;
    if (known !== undefined && !(isSphere && nowMs - known.toldMs >= AGAIN_MS)) return;
    this.#told.set(conversation, { toldMs: nowMs, lastMs: nowMs });
    this.#tell(conversation, true);
    this.#sweepLater();
  }

  #tell(conversation: SphereId, isTyping: boolean): void {
    const { people, list, channel, spawn, client, log } = this.#deps;
    const sphere = list.find(conversation);
    const peer = sphere === undefined ? people.contacts.peerOf(conversation) : undefined;
    spawn('tell who is writing', async () => {
      if (sphere?.row.state === 'joined') await channel.say(sphere, 'typing', { isTyping });
      // To whom is away it would come when it is no longer true.
      if (peer === undefined || !people.contacts.mayKnow(peer) || !people.contacts.isOnline(peer)) return;
      const state = chatState(isTyping ? 'composing' : 'active');
      const stanza = xml('message', { to: peer, type: 'chat' }, state, hint('no-store'), hint('no-copy'));
      await client.send(stanza).catch((error: unknown) => log.debug('not told', { error }));
    });
  }

  #hearPerson({ peer, isOurs, state }: Extract<TalkNote, { kind: 'state' }>): void {
    const { contacts } = this.#deps.people;
    if (isOurs || contacts.isStranger(peer) || !contacts.admits(peer)) return;
    this.#hear(conversationIdOf(peer), peer, state === 'composing' ? PERSON_MS : null);
  }

  #hearMember({ sphere, device }: Speaker, isTyping: boolean): void {
    const person = sphere.state.devices.get(device)?.person;
    const jid = person === undefined || person === sphere.person ? undefined : sphere.jidOf(person);
    if (jid !== undefined) this.#hear(sphere.id, jid, isTyping ? MEMBER_MS : null);
  }

  #hear(conversation: SphereId, jid: BareJid, forMs: number | null): void {
    const heard = this.#heard.get(conversation) ?? new Map<BareJid, number>();
    const wasTyping = heard.has(jid);
    const isFull = heard.size >= MAX_PEOPLE || (heard.size === 0 && this.#heard.size >= MAX_CONVERSATIONS);
    if (forMs === null) heard.delete(jid);
    else if (wasTyping || !isFull) heard.set(jid, this.#deps.clock.monotonic() + forMs);
    if (heard.size === 0) this.#heard.delete(conversation);
    else this.#heard.set(conversation, heard);
    if (heard.has(jid) !== wasTyping) this.onChange.emit(conversation);
    this.#sweepLater();
  }

  #sweepLater(): void {
    if (this.#isSweeping || this.#told.size + this.#heard.size === 0) return;
    this.#isSweeping = true;
    this.#deps.spawn('end typing', async (signal) => {
      try {
        await this.#deps.clock.sleep(SWEEP_MS, signal);
        this.#sweep();
      } finally {
        this.#isSweeping = false;
      }
      this.#sweepLater();
    });
  }

  /** Whoever does not say so any more has stopped. */
  #sweep(): void {
    const nowMs = this.#deps.clock.monotonic();
    for (const [conversation, { lastMs }] of [...this.#told]) {
      if (nowMs - lastMs >= STALE_MS) this.say(conversation, false);
    }
    for (const [conversation, heard] of [...this.#heard]) {
      for (const [jid, untilMs] of [...heard]) if (untilMs <= nowMs) this.#hear(conversation, jid, null);
    }
  }
}
