// XEP-0045: Multi-User Chat, version 1.35.3
import type { BareJid } from '../../base/id.ts';
import { attr, child, children, type Element, xml } from '../element.ts';
import { bareJidOf, splitJid } from '../jid.ts';
import type { XmppPort } from '../port.ts';
import { type DataForm, readForm, submitForm } from './0004-data-forms.ts';

export const NS_MUC = 'http://jabber.org/protocol/muc';
export const NS_MUC_USER = `${NS_MUC}#user`;
export const NS_MUC_ADMIN = `${NS_MUC}#admin`;
export const NS_MUC_OWNER = `${NS_MUC}#owner`;
const FORM_TYPE = `${NS_MUC}#roomconfig`;
const MAX_LISTED = 1000;

export const AFFILIATIONS = ['owner', 'admin', 'member', 'outcast', 'none'] as const;
export type Affiliation = (typeof AFFILIATIONS)[number];

/** Status codes that we act on (§15.6.2). */
export const STATUS = {
  self: 110,
  created: 201,
  nickChanged: 210,
  banned: 301,
  newNick: 303,
  kicked: 307,
  affiliationLost: 321,
  membersOnly: 322,
  shutdown: 332,
  fault: 333,
} as const;

/** Presence of an occupant, as the room tells it. */
export interface MucPresence {
  readonly nick: string;
  readonly isAvailable: boolean;
  /** The occupant's real address, in a non-anonymous room. */
  readonly jid: string | undefined;
  readonly affiliation: Affiliation;
  readonly role: string;
  readonly statusCodes: readonly number[];
  readonly newNick: string | undefined;
  readonly isDestroyed: boolean;
}

export interface Affiliate {
  readonly jid: BareJid;
  readonly affiliation: Affiliation;
}

/** Presence that `room` told; undefined for anything else, errors included. */
export function readMucPresence(presence: Element, room: string): MucPresence | undefined {
  const from = splitJid(attr(presence, 'from') ?? '');
  const type = attr(presence, 'type');
  const user = child(presence, 'x', NS_MUC_USER);
  if (presence.name !== 'presence' || from.bare !== room || from.resource === undefined) return undefined;
  if (user === undefined || (type !== undefined && type !== 'unavailable')) return undefined;
  const item = child(user, 'item');
  return {
    nick: from.resource,
    isAvailable: type === undefined,
    jid: attr(item, 'jid'),
    affiliation: readAffiliation(attr(item, 'affiliation')),
    role: attr(item, 'role') ?? 'none',
    statusCodes: children(user, 'status').map((status) => Number(attr(status, 'code'))),
    newNick: attr(item, 'nick'),
    isDestroyed: child(user, 'destroy') !== undefined,
  };
}

function readAffiliation(text: string | undefined): Affiliation {
  return AFFILIATIONS.find((affiliation) => affiliation === text) ?? 'none';
}

/** The author's real address as the room's archive noted it; on a live message it would be anybody's claim. */
export function readArchivedAuthor(message: Element): BareJid | undefined {
  const items = children(message, 'x', NS_MUC_USER).flatMap((user) => children(user, 'item'));
  return items.length === 1 ? bareJidOf(attr(items[0], 'jid')) : undefined;
}

/** Enters without the room's own history: the archive has it. */
export function joinPresence(room: string, nick: string, ...extras: readonly (Element | undefined)[]): Element {
  const history = xml('history', { maxstanzas: '0' });
  return xml('presence', { to: `${room}/${nick}` }, xml('x', { xmlns: NS_MUC }, history), ...extras);
}

export function leavePresence(room: string, nick: string): Element {
  return xml('presence', { to: `${room}/${nick}`, type: 'unavailable' });
}

export async function fetchRoomConfig(
  client: XmppPort,
  room: string,
  signal?: AbortSignal,
): Promise<DataForm | undefined> {
  const answer = await client.iq('get', room, xml('query', { xmlns: NS_MUC_OWNER }), signal);
  return readForm(child(answer, 'query', NS_MUC_OWNER));
}

export async function configureRoom(
  client: XmppPort,
  room: string,
  values: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  await client.iq('set', room, xml('query', { xmlns: NS_MUC_OWNER }, submitForm(FORM_TYPE, values)), signal);
}

/** §10.9: `next` is the room that takes its place. */
export async function destroyRoom(client: XmppPort, room: string, signal?: AbortSignal, next?: string): Promise<void> {
  const destroy = xml('destroy', next === undefined ? {} : { jid: next });
  await client.iq('set', room, xml('query', { xmlns: NS_MUC_OWNER }, destroy), signal);
}

export function readAffiliates(answer: Element): readonly Affiliate[] {
  return children(child(answer, 'query', NS_MUC_ADMIN), 'item')
    .slice(0, MAX_LISTED)
    .flatMap((item) => {
      const jid = bareJidOf(attr(item, 'jid'));
      return jid === undefined ? [] : [{ jid, affiliation: readAffiliation(attr(item, 'affiliation')) }];
    });
}

/** §9.5: everyone with this affiliation. */
export async function fetchAffiliates(
  client: XmppPort,
  room: string,
  affiliation: Affiliation,
  signal?: AbortSignal,
): Promise<readonly Affiliate[]> {
  const query = xml('query', { xmlns: NS_MUC_ADMIN }, xml('item', { affiliation }));
  const found = readAffiliates(await client.iq('get', room, query, signal));
  // Some services leave out what the question already said.
  return found.map(({ jid }) => ({ jid, affiliation }));
}

/** Everybody who may be in the room. */
export async function fetchAllAffiliates(
  client: XmppPort,
  room: string,
  signal?: AbortSignal,
): Promise<readonly Affiliate[]> {
  const kinds: readonly Affiliation[] = ['owner', 'admin', 'member'];
  const lists = await Promise.all(kinds.map((kind) => fetchAffiliates(client, room, kind, signal)));
  return lists.flat();
}

export async function setAffiliation(
  client: XmppPort,
  room: string,
  { jid, affiliation }: Affiliate,
  signal?: AbortSignal,
): Promise<void> {
  const query = xml('query', { xmlns: NS_MUC_ADMIN }, xml('item', { jid, affiliation }));
  await client.iq('set', room, query, signal);
}

/** §8.2: puts the occupant out; he may come back while his affiliation allows it. */
export async function kickOccupant(client: XmppPort, room: string, nick: string, signal?: AbortSignal): Promise<void> {
  const query = xml('query', { xmlns: NS_MUC_ADMIN }, xml('item', { nick, role: 'none' }));
  await client.iq('set', room, query, signal);
}
