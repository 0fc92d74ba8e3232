import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import type { InvitationView, ItemView, SphereView } from '../contract/views.ts';
import { withAllFiles } from './all-files.ts';
import type { EngineClient } from './connect.ts';

/** Things can be called by their full id, or by their name where only one has it. */

export async function resolveSphere(client: EngineClient, text: string, signal: AbortSignal): Promise<SphereView> {
  const { spheres } = await client.spheres.list(undefined, { signal });
  return choose('sphere', text, spheres, ({ id, name }) => [id, name]);
}

export async function resolveItem(
  client: EngineClient,
  sphere: SphereView,
  text: string,
  signal: AbortSignal,
  removed = false,
): Promise<ItemView> {
  const { items } = await client.items.list({ sphereId: sphere.id, removed }, { signal });
  return choose('item', text, items, ({ id, name }) => [id, name]);
}

export async function resolveInvitation(
  client: EngineClient,
  text: string,
  signal: AbortSignal,
): Promise<InvitationView> {
  const { invitations } = await client.spheres.invitations(undefined, { signal });
  return choose('invitation', text, invitations, ({ id, sphere }) => [id, sphere]);
}

/** The conversation of a sphere, or the one with a person, who is called by address. */
export async function resolveConversation(
  client: EngineClient,
  text: string,
  signal: AbortSignal,
): Promise<SphereView['id']> {
  const { spheres } = await client.spheres.list(undefined, { signal });
  const isSphere = spheres.some(({ id, name }) => id === text || name === text);
  if (isSphere || !text.includes('@')) return choose('sphere', text, spheres, ({ id, name }) => [id, name]).id;
  return (await client.people.open({ jid: parseBareJid(text) }, { signal })).person.conversationId;
}

/** A file of an item by its number or its name; the first one when none is named. */
export async function resolveFile(
  client: EngineClient,
  item: ItemView,
  text: string | undefined,
  signal: AbortSignal,
): Promise<number> {
  if (text === undefined) return 0;
  const { files } = await withAllFiles(client, item, signal);
  const numbered = /^\d+$/.test(text) ? files.find(({ index }) => index === Number(text)) : undefined;
  const file = numbered ?? choose('file', text, files, ({ name }) => ['', name]);
  return file.index;
}

function choose<T>(kind: string, text: string, all: readonly T[], names: (one: T) => readonly [string, string]): T {
  const byId = all.find((one) => names(one)[0] === text);
  if (byId !== undefined) return byId;
  const named = all.filter((one) => names(one)[1] === text);
  const [only] = named;
  if (only === undefined) throw new AppError('not-found', `there is no ${kind} ${JSON.stringify(text)}`);
  if (named.length > 1) {
    throw new AppError('conflict', `${named.length} ${kind}s are called ${JSON.stringify(text)}: use the id`);
  }
  return only;
}
