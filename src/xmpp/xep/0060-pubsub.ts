// XEP-0060: Publish-Subscribe, version 1.26.0
import type { BareJid } from '../../base/id.ts';
import { attr, child, children, type Element, xml } from '../element.ts';
import { bareJidOf } from '../jid.ts';
import type { XmppPort } from '../port.ts';
import { readForm, submitForm } from './0004-data-forms.ts';

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub';
export const NS_PUBSUB_OWNER = `${NS_PUBSUB}#owner`;
export const NS_PUBSUB_EVENT = `${NS_PUBSUB}#event`;
const MAX_ITEMS = 1000;

export interface PubsubItem {
  readonly id: string;
  readonly payload: Element | undefined;
}

/** A piece of news of one node. */
export interface PubsubEvent {
  readonly from: BareJid;
  readonly node: string;
  readonly items: readonly PubsubItem[];
  readonly retracted: readonly string[];
}

/** Node settings by field name, such as `pubsub#access_model`. */
export type NodeOptions = Readonly<Record<string, string>>;

export interface Publication {
  readonly node: string;
  readonly id: string;
  readonly payload: Element;
}

/** The news in a message; undefined when it holds none, or none of an account. */
export function readPubsubEvent(message: Element): PubsubEvent | undefined {
  const items = child(child(message, 'event', NS_PUBSUB_EVENT), 'items');
  const from = bareJidOf(attr(message, 'from'));
  const node = attr(items, 'node');
  if (from === undefined || node === undefined || attr(message, 'type') === 'error') return undefined;
  const retracted = children(items, 'retract').slice(0, MAX_ITEMS);
  return { from, node, items: readItems(items), retracted: retracted.map((item) => attr(item, 'id') ?? '') };
}

/** The newest of this node in a message: null when it was taken back, undefined when the message says nothing of it. */
export function readLatest(
  message: Element,
  node: string,
): { readonly from: BareJid; readonly payload: Element | null } | undefined {
  const event = readPubsubEvent(message);
  if (event?.node !== node) return undefined;
  const payload = event.items.at(-1)?.payload;
  if (payload === undefined && event.retracted.length === 0) return undefined;
  return { from: event.from, payload: payload ?? null };
}

export function readItems(items: Element | undefined): readonly PubsubItem[] {
  return children(items, 'item')
    .slice(0, MAX_ITEMS)
    .map((item) => ({ id: attr(item, 'id') ?? '', payload: item.getChildElements()[0] }));
}

/** The items of a node, oldest first, or those with these ids; `owner` undefined asks our own account. */
export async function fetchItems(
  client: XmppPort,
  owner: BareJid | undefined,
  node: string,
  options: { readonly max?: number; readonly ids?: readonly string[] },
  signal?: AbortSignal,
): Promise<readonly PubsubItem[]> {
  const wanted = options.ids?.map((id) => xml('item', { id })) ?? [];
  const question = xml('pubsub', { xmlns: NS_PUBSUB }, xml('items', { node, max_items: options.max }, ...wanted));
  const answer = await client.iq('get', owner === client.jid ? undefined : owner, question, signal);
  return readItems(child(child(answer, 'pubsub', NS_PUBSUB), 'items'));
}

/** Publishes in a node of our own account; the options are what the node must be like (§7.1.5). */
export async function publishItem(
  client: XmppPort,
  { node, id, payload }: Publication,
  options: NodeOptions | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const publish = xml('publish', { node }, xml('item', { id }, payload));
  const form = options === undefined ? undefined : submitForm(`${NS_PUBSUB}#publish-options`, options);
  const must = form === undefined ? undefined : xml('publish-options', {}, form);
  await client.iq('set', undefined, xml('pubsub', { xmlns: NS_PUBSUB }, publish, must), signal);
}

/** §7.2: takes an item of our own account back; whoever follows the node hears of it. */
export async function retractItem(
  client: XmppPort,
  { node, id }: Pick<Publication, 'node' | 'id'>,
  signal?: AbortSignal,
): Promise<void> {
  const retract = xml('retract', { node, notify: 'true' }, xml('item', { id }));
  await client.iq('set', undefined, xml('pubsub', { xmlns: NS_PUBSUB }, retract), signal);
}

export async function createNode(client: XmppPort, node: string, signal?: AbortSignal): Promise<void> {
  await client.iq('set', undefined, xml('pubsub', { xmlns: NS_PUBSUB }, xml('create', { node })), signal);
}

export async function readNodeConfig(
  client: XmppPort,
  node: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const question = xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('configure', { node }));
  const answer = await client.iq('get', undefined, question, signal);
  const form = readForm(child(child(answer, 'pubsub', NS_PUBSUB_OWNER), 'configure'));
  return new Map(form?.fields.map(({ name, values }) => [name, values[0] ?? '']));
}

export async function configureNode(
  client: XmppPort,
  node: string,
  options: NodeOptions,
  signal?: AbortSignal,
): Promise<void> {
  const form = submitForm(`${NS_PUBSUB}#node_config`, options);
  const configure = xml('configure', { node }, form);
  await client.iq('set', undefined, xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, configure), signal);
}
