import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ItemId, SphereId } from '../../../src/base/id.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { systemClock } from '../../../src/base/system-clock.ts';
import type { Segment } from '../../../src/contract/swarm.ts';
import { attachmentsOf, bodyOf } from '../../../src/spheres/announcement.ts';
import { describeItem } from '../../../src/spheres/describe-item.ts';
import type { ItemDraft, PreparedItem } from '../../../src/spheres/prepare-item.ts';
import { draftItem } from '../../../src/spheres/prepare-item.ts';
import { withIdentities } from '../../../src/torrent/torrent-spec.ts';
import { enumerateTree } from '../../../src/torrent/enumerate.ts';
import { Hasher } from '../../../src/torrent/hasher.ts';
import { buildMetainfo } from '../../../src/torrent/metainfo.ts';
import type { Person } from '../../fixtures/engine-world.ts';
import { mediaOfNothing } from '../../fixtures/media-of-nothing.ts';
import { fullBitfield } from '../../integration/swarm-peer.ts';
import type { StoppedPerson } from './stopped-person.ts';
import { openStopped } from './stopped-person.ts';
import { PieceTags } from '../../../src/torrent/piece-tags.ts';

/** Items of one transaction. */
const TOGETHER = 500;
const FILE_BYTES = 10_000;

/**
 * Writes items into the database of a person whose engine is stopped, as if they had been shared and told: the first
 * ones seeded from files in the folder of the sphere, the others only listed.
 */
export async function addItems(
  person: Pick<Person, 'profile' | 'jid'>,
  sphereId: SphereId,
  items: { readonly seeded: number; readonly listed: number },
): Promise<void> {
  using stopped = await openStopped(person);
  const { folder } = stopped.list.get(sphereId).row;
  await mkdir(folder, { recursive: true });
  await using hasher = new Hasher({ clock: systemClock, tags: new PieceTags(systemRandom) });
  const example = await lookAt(join(folder, 'example.jpg'));
  await rm(join(folder, 'example.jpg'));
  for (let from = 0; from < items.listed; from += TOGETHER) {
    const prepared: PreparedItem[] = [];
    for (let number = from; number < Math.min(from + TOGETHER, items.listed); number += 1) {
      const name = `picture ${number}.jpg`;
      if (number < items.seeded) {
        prepared.push(await hash(draftOf(await lookAt(join(folder, name)), name), hasher));
      } else prepared.push(unhashed(draftOf(example, name)));
    }
    stopped.list.together(stopped.list.get(sphereId), () => {
      for (const [index, item] of prepared.entries()) announce(stopped, sphereId, item, from + index < items.seeded);
    });
  }
}

type Looked = Pick<ItemDraft, 'tree' | 'description'>;

async function lookAt(path: string): Promise<Looked> {
  const signal = AbortSignal.timeout(60_000);
  await writeFile(path, randomBytes(FILE_BYTES));
  const tree = await enumerateTree(path, signal);
  return { tree, description: await describeItem(tree, { media: mediaOfNothing }, signal) };
}

function draftOf({ tree, description }: Looked, name: string): ItemDraft {
  return draftItem({ tree: { ...tree, name }, description, plain: false }, systemRandom);
}

function segmentsOf({ tree, layout, manifest }: ItemDraft): Segment[] {
  const path = tree.files[0]?.path ?? '';
  return [
    { kind: 'file', offset: 0, length: FILE_BYTES, path, root: null, identity: null },
    { kind: 'bytes', offset: layout.manifest.offset, bytes: manifest },
  ];
}

async function hash(draft: ItemDraft, hasher: Hasher): Promise<PreparedItem> {
  const { mediaKey } = draft;
  const { totalLength: length, pieceLength } = draft.layout;
  const plan = segmentsOf(draft);
  const signal = AbortSignal.timeout(60_000);
  const request = { segments: plan, length, pieceLength, mediaKey };
  const { pieces, identities } = await hasher.hash(request, () => undefined, signal);
  return { ...draft, ...buildMetainfo({ length, pieceLength, pieces }), segments: withIdentities(plan, identities) };
}

/** What is only listed needs no bytes that are true: nobody asks for them. */
function unhashed(draft: ItemDraft): PreparedItem {
  const { totalLength: length, pieceLength } = draft.layout;
  const pieces = randomBytes(20 * Math.ceil(length / pieceLength));
  return { ...draft, ...buildMetainfo({ length, pieceLength, pieces }), segments: segmentsOf(draft) };
}

function announce({ list, storage }: StoppedPerson, sphereId: SphereId, item: PreparedItem, isSeeded: boolean): void {
  const sphere = list.get(sphereId);
  const { attachments, kept } = attachmentsOf(item, sphere.currentEpoch, systemRandom);
  const body = bodyOf(item, sphere.currentEpoch, { replaces: null, basedOn: null });
  const { id } = list.publish(sphere, 'item', body, { audience: { kind: 'members' }, attachments, kept });
  for (const row of storage.outbox.byEvent(id)) storage.outbox.remove(row.id);
  storage.messages.update(id, { state: 'sent' });
  if (!isSeeded) return;
  const bitfield = fullBitfield(Math.ceil(item.layout.totalLength / item.layout.pieceLength));
  const [file] = item.tree.files;
  const place = { path: file?.path ?? null, layout: item.segments, bitfield, bytesHave: item.tree.totalBytes };
  storage.items.update(id as string as ItemId, { state: 'sharing', wanted: true, ...place });
}
