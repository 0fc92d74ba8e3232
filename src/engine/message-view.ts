import type { BareJid, EventId, ItemId, PersonId } from '../base/id.ts';
import type { DeliveryView, MessageView, QuoteView, ReactionView } from '../contract/views.ts';
import { isArriving } from '../spheres/current-text.ts';
import type { Delivery } from '../spheres/delivery.ts';
import { deletionOf } from '../spheres/deletion.ts';
import type { ItemEvent, SignedEvent } from '../spheres/protocol/event.ts';
import { isItemEvent } from '../spheres/protocol/event.ts';
import { readRemovalLine } from '../spheres/removal-line.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import { versionsOf } from '../spheres/versions.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { PeopleNames } from './people-names.ts';
import { senderOf } from './sender-of.ts';
import { quotedText, shownText } from './shown-text.ts';

interface MessageViewDeps {
  readonly list: Pick<SphereList, 'find'>;
  readonly storage: Pick<Storage, 'messages' | 'attachments'>;
  readonly delivery: Pick<Delivery, 'reached'>;
  readonly names: Pick<PeopleNames, 'of'>;
  readonly own: BareJid;
}

/** One line with everything that was said and done about it since. */
export function viewMessage(deps: MessageViewDeps, row: MessageRow): MessageView {
  const sphere = deps.list.find(row.sphereId);
  const event = sphere?.log.get(row.id);
  const from = senderOf(sphere, row);
  const mine = from === deps.own || from === sphere?.jidOf(sphere.person);
  const delivery = mine && sphere !== undefined && event !== undefined ? viewDelivery(deps, sphere, event) : null;
  return {
    id: row.id,
    sphereId: row.sphereId,
    from,
    fromName: deps.names.of(from),
    mine,
    person: event?.header.person ?? null,
    kind: row.kind,
    ...shownText(row.text),
    ...viewRemoval(deps, sphere, row, event),
    ...(sphere !== undefined && event?.type === 'message' && isArriving(sphere, deps.storage, event)
      ? { arriving: true as const }
      : {}),
    itemId: row.itemId,
    atMs: row.atMs,
    state: row.state === 'sent' ? stateOf(delivery) : row.state,
    failure: row.failure,
    order: orderOf(row),
    encrypted: row.encrypted,
    delivery,
    replyTo: row.replyTo === null ? null : viewQuote(deps, row.replyTo),
    reactions: sphere === undefined ? [] : viewReactions(deps, sphere, row.id),
    change: changeOf(sphere, event),
    mentionsMe:
      sphere !== undefined && event?.type === 'message' && event.body.mentions?.includes(sphere.person) === true,
  };
}

/** The words of the notice, with the name that the removed one has here. */
function viewRemoval(
  { names }: MessageViewDeps,
  sphere: Sphere | undefined,
  { kind, text }: MessageRow,
  event: SignedEvent | undefined,
): Pick<MessageView, 'text' | 'removed'> | undefined {
  const known = kind === 'notice' ? readRemovalLine(text) : undefined;
  if (known === undefined) return undefined;
  if (event?.type !== 'remove') return { text: 'removed' };
  const { jid, person } = event.body;
  return { text: 'removed', removed: { name: names.of(jid), isMe: person === sphere?.person, known } };
}

function stateOf(delivery: DeliveryView | null): MessageView['state'] {
  if (delivery === null) return 'sent';
  if (delivery.seenBy.length > 0) return 'seen';
  return delivery.reached > 0 ? 'delivered' : 'sent';
}

function viewDelivery({ delivery, own, names }: MessageViewDeps, sphere: Sphere, event: SignedEvent): DeliveryView {
  const { state, log, person } = sphere;
  const { annotations } = log;
  const said = delivery.reached(sphere, event.header);
  const devices = [...state.devices.values()].filter((device) => device.person !== person);
  const reached = devices.filter(({ device }) => said.has(device) || annotations.isReadOn(device, event));
  const others = [...state.members.values()].filter(({ jid }) => jid !== own);
  const isSeen = (reader: PersonId | null): boolean => reader !== null && annotations.isReadBy(reader, event);
  return {
    devices: devices.length,
    reached: reached.length,
    seenBy: others.filter((member) => isSeen(member.person)).map(({ jid }) => names.of(jid)),
    unknown: others.filter((member) => member.state === 'invited').map(({ jid }) => names.of(jid)),
  };
}

function viewQuote({ storage, list, names }: MessageViewDeps, id: EventId): QuoteView {
  const row = storage.messages.get(id);
  if (row === undefined || row.kind === 'notice') return { id, kind: 'text', fromName: '', text: null };
  const fromName = names.of(senderOf(list.find(row.sphereId), row));
  return { id, kind: row.kind, fromName, text: quotedText(row.text) };
}

function viewReactions({ names }: MessageViewDeps, sphere: Sphere, id: EventId): ReactionView[] {
  return sphere.log.annotations.reactions(id).map(({ sign, people }) => ({
    sign,
    people: people.flatMap((person) => {
      const jid = sphere.jidOf(person);
      return jid === undefined ? [] : [names.of(jid)];
    }),
    mine: people.includes(sphere.person),
  }));
}

function changeOf(sphere: Sphere | undefined, event: SignedEvent | undefined): MessageView['change'] {
  if (sphere === undefined) return 'none';
  if (isItemEvent(event)) return isDeleted(sphere, event) ? 'retracted' : 'none';
  if (event?.type !== 'message') return 'none';
  const { annotations } = sphere.log;
  if (annotations.retraction(event) !== undefined) return 'retracted';
  return annotations.edit(event) === undefined ? 'none' : 'edited';
}

/** The line of the first version stands for all. */
function isDeleted(sphere: Sphere, event: ItemEvent): boolean {
  const newest = versionsOf(sphere.state.items, event.id as string as ItemId).at(-1);
  const current = newest && sphere.state.items.get(newest)?.event;
  return current !== undefined && deletionOf(sphere, current) !== undefined;
}

/** Compares as text like the lines stand. */
function orderOf({ place, lamport, order }: MessageRow): string {
  return [place, lamport, order].map((number) => String(number).padStart(16, '0')).join('.');
}
