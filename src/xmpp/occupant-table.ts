// XEP-0045: Multi-User Chat, version 1.35.3, §7
import type { BareJid } from '../base/id.ts';
import type { Element } from './element.ts';
import { bareJidOf } from './jid.ts';
import type { Occupant } from './room-types.ts';
import type { MucPresence } from './xep/0045-muc.ts';
import { readCapsTag } from './xep/0115-caps.ts';
import { readOccupantId } from './xep/0421-occupant-id.ts';

/** A sphere has 150 devices at most; a room that tells of more only wants to fill the memory. */
const MAX_OCCUPANTS = 1000;

/** Who is in the room, by nick. */
export class OccupantTable {
  readonly #byNick = new Map<string, Occupant>();

  get all(): readonly Occupant[] {
    return [...this.#byNick.values()];
  }

  /** The real account behind a nick at this moment: nicks may change hands. */
  jidOf(nick: string): BareJid | null {
    return this.#byNick.get(nick)?.jid ?? null;
  }

  update(presence: MucPresence, stanza: Element): void {
    const { nick, jid, affiliation } = presence;
    if (!presence.isAvailable) {
      this.#byNick.delete(nick);
      return;
    }
    if (this.#byNick.size >= MAX_OCCUPANTS && !this.#byNick.has(nick)) return;
    this.#byNick.set(nick, {
      nick,
      jid: bareJidOf(jid) ?? null,
      fullJid: jid ?? null,
      affiliation,
      occupantId: readOccupantId(stanza) ?? null,
      caps: readCapsTag(stanza) ?? null,
    });
  }

  clear(): void {
    this.#byNick.clear();
  }
}
