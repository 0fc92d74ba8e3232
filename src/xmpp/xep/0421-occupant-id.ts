// XEP-0421: Occupant identifiers for semi-anonymous MUCs, version 1.0.1
import { attr, child, type Element } from '../element.ts';

export const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0';

/** The id that the room gave the occupant, the same in all of one person's presence there. */
export function readOccupantId(stanza: Element): string | undefined {
  return attr(child(stanza, 'occupant-id', NS_OCCUPANT_ID), 'id');
}
