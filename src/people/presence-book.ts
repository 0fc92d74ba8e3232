// RFC 6121: XMPP Instant Messaging and Presence, §4
import type { BareJid } from '../base/id.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { bareJidOf, splitJid } from '../xmpp/jid.ts';

/** More programs of one account at once are nobody's. */
const MAX_RESOURCES = 50;

/** Which programs of our contacts are online. */
export class PresenceBook {
  readonly #online = new Map<BareJid, Set<string>>();
  readonly #changed: (jid: BareJid) => void;

  /** `changed` is called when somebody comes online with the first of their programs or leaves with the last. */
  constructor(changed: (jid: BareJid) => void) {
    this.#changed = changed;
  }

  /** All who have a program online. */
  get online(): readonly BareJid[] {
    return [...this.#online].flatMap(([jid, { size }]) => (size > 0 ? [jid] : []));
  }

  isOnline(jid: BareJid): boolean {
    return (this.#online.get(jid)?.size ?? 0) > 0;
  }

  /** Takes in a presence of somebody who counts. */
  take(presence: Element, counts: (jid: BareJid) => boolean): void {
    const address = attr(presence, 'from');
    const jid = bareJidOf(address);
    const type = attr(presence, 'type');
    if (presence.name !== 'presence' || address === undefined || jid === undefined || !counts(jid)) return;
    const wasOnline = this.isOnline(jid);
    if (type === undefined) this.#add(jid, splitJid(address).resource ?? '');
    // §4.5: an error or a presence without a resource speaks for the account as a whole.
    else if (type === 'error') this.#online.delete(jid);
    else if (type === 'unavailable') this.#leave(jid, splitJid(address).resource);
    if (this.isOnline(jid) !== wasOnline) this.#changed(jid);
  }

  forget(jid: BareJid): void {
    this.#online.delete(jid);
  }

  /** In a new session nothing is known. */
  clear(): void {
    const before = [...this.#online.keys()];
    this.#online.clear();
    for (const jid of before) this.#changed(jid);
  }

  #add(jid: BareJid, resource: string): void {
    const resources = this.#online.get(jid) ?? new Set();
    if (resources.size < MAX_RESOURCES) resources.add(resource);
    this.#online.set(jid, resources);
  }

  #leave(jid: BareJid, resource: string | undefined): void {
    const resources = this.#online.get(jid);
    if (resource === undefined) this.#online.delete(jid);
    else if (resources?.delete(resource) === true && resources.size === 0) this.#online.delete(jid);
  }
}
