import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid, PersonId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { DeviceAddress, TrustDecision } from '../omemo/types.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppPort } from '../xmpp/port.ts';
import type { ComparedWord } from '../spheres/protocol/own-words.ts';
import type { TalkNote } from '../spheres/direct-talk.ts';
import { errorCondition } from '../xmpp/stanza-error.ts';
import { enableCarbons } from '../xmpp/xep/0280-carbons.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { BlockList } from './block-list.ts';
import { Contacts } from './contacts.ts';
import { type Comparison, Fingerprints } from './fingerprints.ts';
import { OwnProfile } from './own-profile.ts';
import { Portraits, type PortraitTools } from './portraits.ts';
import type { PersonBehind } from './talk.ts';
import { Talk } from './talk.ts';
import { type DeviceFinder, type KeysOf, TalkDevices } from './talk-devices.ts';
import { TalkEncryption } from './talk-encryption.ts';
import { TalkSender } from './talk-sender.ts';

interface PeopleDeps {
  readonly client: XmppPort;
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly devices: DeviceFinder;
  /** Our own. */
  readonly person: PersonId;
  readonly personBehind: PersonBehind;
  readonly keysOf: KeysOf;
  readonly sharesSphere: (jid: BareJid) => boolean;
  readonly isMailRead: () => boolean;
  readonly media: PortraitTools;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Everybody outside of spheres: the list, the requests, and what is said one to one. */
export class People implements Disposable {
  readonly contacts: Contacts;
  readonly blocked: BlockList;
  readonly portraits: Portraits;
  /** Our own name and picture. */
  readonly profile: OwnProfile;
  readonly talk: Talk;
  readonly sender: TalkSender;
  /** Who may read what is said. */
  readonly devices: TalkDevices;
  readonly fingerprints: Fingerprints;
  /** Somebody says what they do: writing, or no longer. */
  readonly onState: Emitter<Extract<TalkNote, { kind: 'state' }>>;
  readonly #acknowledgements: Acknowledgements;
  readonly #deps: PeopleDeps;

  constructor(deps: PeopleDeps) {
    const { client, log } = deps;
    this.#deps = deps;
    this.contacts = new Contacts(deps);
    this.blocked = new BlockList(deps);
    this.blocked.onChange.on((jid) => this.contacts.onChange.emit(jid));
    this.portraits = new Portraits({ ...deps, contacts: this.contacts, tools: deps.media });
    this.profile = new OwnProfile({ ...deps, portraits: this.portraits, tools: deps.media });
    const onError = (error: unknown): void => log.error('talk listener failed', { error });
    this.talk = new Talk({ ...deps, contacts: this.contacts, own: client.jid, onError });
    const own = client.jid;
    this.devices = new TalkDevices({ ...deps, own, deviceId: deps.omemo.deviceId, onError });
    this.devices.onChange.on((jid) => {
      if (this.contacts.get(jid) !== undefined) this.contacts.onChange.emit(jid);
    });
    this.fingerprints = new Fingerprints({ ...deps, readers: this.devices, own, onError });
    this.devices.onVouched.on((jid) => this.#sayAgain(jid));
    const encryption = new TalkEncryption({ ...deps, readers: this.devices, own });
    this.sender = new TalkSender({ ...deps, talk: this.talk, encryption });
    this.onState = new Emitter(onError);
    this.#acknowledgements = new Acknowledgements({ ...deps, contacts: this.contacts, talk: this.talk });
    deps.spawn('send what is said one to one', (signal) => this.sender.run(signal));
  }

  /** In each new session, before presence is sent: reads the lists that the server keeps. */
  async begin(signal: AbortSignal): Promise<void> {
    await Promise.all([this.blocked.begin(signal), this.contacts.begin(signal)]);
  }

  /** Has the server bring what our other devices say from now on. */
  async hearOthers(signal: AbortSignal): Promise<void> {
    const { client, log } = this.#deps;
    try {
      await enableCarbons(client, signal);
    } catch (error) {
      if (errorCondition(error) === undefined) throw error;
      // The archive tells later what our other devices say.
      log.warn('no copies of what other devices say', { error });
    }
  }

  /** A connection, or other keys: what could not be sent is tried anew. */
  poke(): void {
    this.sender.poke();
    this.#acknowledgements.poke();
  }

  /**
   * What decides about their keys where only a key is sent. It tells that we are here: an answer goes to those who may see that, a new
   * session to everybody we talk with, who would be heard no more without it.
   */
  trustsFor(address: DeviceAddress, what: 'repair' | 'heartbeat'): TrustDecision | undefined {
    const { jid } = address;
    const { storage, client } = this.#deps;
    const standing = storage.blocked.has(jid) ? undefined : storage.contacts.get(jid)?.standing;
    const isTalkedWith = standing === 'contact' || standing === 'met';
    const mayHear = jid === client.jid || (what === 'repair' ? isTalkedWith : this.contacts.mayKnow(jid));
    const { trusts, isLeftOut } = this.devices.readersWith(jid);
    return mayHear && !isLeftOut(address) ? trusts : undefined;
  }

  /** The person says whether a device may read what is said; what could not be sent for its sake goes out. */
  async chooseDevice(input: Parameters<TalkDevices['choose']>[0], signal: AbortSignal): Promise<void> {
    await this.devices.choose(input, signal);
    if (input.choice === 'let-in') this.talk.retryAll(input.jid, 'not-vouched');
    this.sender.poke();
  }

  /** The person says whether devices show the fingerprint that their program shows. */
  compare(input: Comparison): void {
    const swapped = this.fingerprints.compare(input);
    // The session is with whoever stood between us.
    for (const address of swapped) this.#deps.omemo.onBroken.emit(address);
    if (input.isSame) this.#sayAgain(input.jid);
  }

  /** The person said at another computer of theirs whose devices are whose. */
  hear(word: ComparedWord): void {
    const { swapped, isSame } = this.fingerprints.hear(word);
    for (const address of swapped) this.#deps.omemo.onBroken.emit(address);
    if (isSame) this.#sayAgain(word.jid);
  }

  /** Words about lines wait for it as well. Nothing goes by itself to somebody who was blocked since. */
  #sayAgain(jid: BareJid): void {
    if (this.#deps.storage.blocked.has(jid)) return;
    this.talk.retryAll(jid, 'not-vouched');
    this.sender.poke();
  }

  /** What our server took and theirs did not. */
  bounced(peer: BareJid, stanzaId: string | null): void {
    this.talk.bounced(peer, stanzaId);
    this.sender.bounced(peer, stanzaId);
  }

  /** A word about lines, or about who writes them, that is no line. */
  take(note: TalkNote, isLive: boolean): void {
    if (note.kind === 'reactions') this.talk.signed(note, isLive);
    else if (note.kind === 'state') {
      if (isLive) this.onState.emit(note);
    } else this.#acknowledgements.take(note);
  }

  [Symbol.dispose](): void {
    this.#acknowledgements[Symbol.dispose]();
    this.portraits[Symbol.dispose]();
    this.blocked[Symbol.dispose]();
    this.contacts[Symbol.dispose]();
  }
}
