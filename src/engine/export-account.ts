import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { MessageView } from '../contract/views.ts';
import { pictureFormat } from '../spheres/protocol/picture-format.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { Storage } from '../storage/storage.ts';
import { fileError } from '../torrent/file-error.ts';
import { safeName, uniqueNames } from '../torrent/safe-name.ts';
import type { AccountSession } from './account-session.ts';
import { copyItems, exportedItems } from './export-items.ts';
import type { ViewSource } from './view-source.ts';

interface ExportDeps {
  readonly session: Pick<AccountSession, 'own' | 'storage' | 'list' | 'people' | 'items' | 'source'>;
  readonly views: Pick<ViewSource, 'sphere' | 'items' | 'message' | 'people' | 'directMessage'>;
  readonly clock: Clock;
}

export interface Exported {
  /** The folder that was made. */
  readonly path: string;
  readonly messages: number;
  /** Items that were copied, and single files of those that are not whole here. */
  readonly files: number;
}

const PAGE = 500;

/**
 * Writes everything of the account below `parent`, as JSON that says what its fields are called and, when wished, with
 * copies of all files that are whole here. Keys and passwords stay where they are: with them somebody else could be us.
 */
export async function exportAccount(
  deps: ExportDeps,
  { parent, withFiles }: { readonly parent: string; readonly withFiles: boolean },
  signal: AbortSignal,
): Promise<Exported> {
  const { session, views, clock } = deps;
  const stamp = new Date(clock.now()).toISOString().replace(/[:.]/g, '-');
  const folder = path.join(parent, `Spherecast ${stamp}`);
  try {
    await makeFolder(folder);
    await writeAccount(deps, folder);
    await writeJson(folder, 'people.json', { people: views.people(), blocked: session.storage.blocked.list() });
    const talks = await writeTalks(deps, path.join(folder, 'people'), signal);
    const spheres = session.list.all();
    const names = uniqueNames(spheres.map((sphere) => [safeName(views.sphere(sphere).name)]));
    const written = { messages: talks, files: 0 };
    for (const [index, sphere] of spheres.entries()) {
      const own = path.join(folder, 'spheres', names[index]?.[0] ?? sphere.id);
      written.messages += await writeSphere(deps, sphere, own, signal);
      const items = exportedItems(deps, sphere);
      await writeJson(own, 'items.json', { items });
      if (withFiles) written.files += await copyItems(deps, { items, folder: path.join(own, 'files') }, signal);
    }
    return { path: folder, ...written };
  } catch (error) {
    signal.throwIfAborted();
    throw fileError(error, 'the copy cannot be written');
  }
}

/** The picture lies beside it, as everybody sees it. */
async function writeAccount({ session, clock }: ExportDeps, folder: string): Promise<void> {
  const { own, storage } = session;
  const id = storage.portraits.idOf(own);
  const image = id === undefined ? undefined : storage.portraits.image(id);
  const name = 'picture.webp';
  const picture = image === undefined ? null : name;
  await writeJson(folder, 'account.json', { jid: own, name: storage.account.nick, picture, exportedAtMs: clock.now() });
  if (image !== undefined) await writeFile(path.join(folder, name), image, { mode: 0o600 });
}

/** Returns how many lines there are. */
async function writeTalks({ session, views }: ExportDeps, folder: string, signal: AbortSignal): Promise<number> {
  const { directMessages } = session.storage;
  let count = 0;
  const people = session.people.contacts.list();
  // Two addresses may be one name on a disk.
  const names = uniqueNames(people.map(({ jid }) => [`${safeName(jid)}.json`]));
  for (const [index, { jid }] of people.entries()) {
    signal.throwIfAborted();
    const messages: MessageView[] = [];
    for (let last = 0; ;) {
      const page = directMessages.after(jid, last, PAGE);
      messages.push(...page.map((row) => whole(views.directMessage(row), row)));
      last = page.at(-1)?.position ?? last;
      if (page.length < PAGE) break;
    }
    if (messages.length === 0) continue;
    await makeFolder(folder);
    await writeJson(folder, names[index]?.[0] ?? `${index}.json`, { with: jid, messages });
    count += messages.length;
  }
  return count;
}

function whole({ more: _more, ...view }: MessageView, { text }: { readonly text: string }): MessageView {
  return { ...view, text };
}

async function writeSphere(deps: ExportDeps, sphere: Sphere, folder: string, signal: AbortSignal) {
  const { session, views } = deps;
  await makeFolder(folder);
  const messages: MessageView[] = [];
  for (let last = { place: 0, lamport: 0, order: 0 }; ;) {
    signal.throwIfAborted();
    const page = session.storage.messages.after(sphere.id, last, PAGE);
    messages.push(...page.map((row) => whole(views.message(row), row)));
    last = page.at(-1) ?? last;
    if (page.length < PAGE) break;
  }
  await writeJson(folder, 'sphere.json', views.sphere(sphere));
  await writePicture(session.storage, sphere, folder);
  await writeJson(folder, 'messages.json', { messages });
  const events = sphere.log.events().map(({ id, header, body }) => ({ id, ...header, body }));
  await writeJson(folder, 'log.json', { events });
  return messages.length;
}

async function writePicture(storage: Storage, { log: { picture } }: Sphere, folder: string): Promise<void> {
  const bytes = picture === null ? undefined : storage.attachments.get(picture.id, 'picture');
  if (bytes === undefined) return;
  const name = `picture.${pictureFormat(bytes) === 'webp' ? 'webp' : 'jpg'}`;
  await writeFile(path.join(folder, name), bytes, { mode: 0o600 });
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await writeFile(path.join(folder, name), `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}
