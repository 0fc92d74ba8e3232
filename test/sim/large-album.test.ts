import { expect, test } from 'vitest';
import type { EventId, InfoHash, ItemId } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { attachment } from '../../src/spheres/protocol/envelope.ts';
import { sha256Hex } from '../../src/spheres/protocol/keys.ts';
import { keyCheck, wrapMediaKey } from '../../src/spheres/protocol/media-key.ts';
import { itemBody } from '../fixtures/protocol/sphere-world.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const ITEMS = process.env['SPHERECAST_LONG'] === '1' ? 1_000 : 200;

/** A sphere with everything in it, of somebody who is still alone there: whoever comes is told all of it. */
async function foundAlbum({ session }: SimPerson): Promise<void> {
  const sphere = await session.members.create('Album', noSignal);
  const { eventId, secrets: epoch } = sphere.currentEpoch;
  const mediaKey = new Uint8Array(32);
  const metainfo = new Uint8Array(300).fill(1);
  const sizes = { metainfoBytes: metainfo.length, metainfoSha256: sha256Hex(metainfo) };
  session.list.together(sphere, () => {
    for (let number = 0; number < ITEMS; number += 1) {
      const listed = itemBody(`photo ${number}.jpg`, eventId);
      const infoHash = listed.infoHash as InfoHash;
      const body = { ...listed, ...sizes, keyCheck: keyCheck(mediaKey, infoHash) };
      const wrapped = wrapMediaKey({ epoch, infoHash, random: systemRandom }, mediaKey);
      const attachments = [attachment('media-key', wrapped), attachment('metainfo', metainfo)];
      session.list.publish(sphere, 'item', body, { audience: { kind: 'members' }, attachments });
    }
    for (const { id, eventId } of session.storage.outbox.list('queued')) {
      if (sphere.log.get(eventId)?.type === 'item') session.storage.outbox.remove(id);
    }
  });
}

/** Items of the first sphere that are listed and whose key is here. */
function albumOf({ session }: SimPerson): number {
  const [sphere] = session.list.all();
  if (sphere === undefined) return 0;
  const isWhole = (id: ItemId): boolean =>
    session.storage.items.get(id) !== undefined &&
    session.storage.attachments.has(id as string as EventId, 'media-key');
  return [...sphere.state.items.keys()].filter(isWhole).length;
}

test('a second computer, and one restored from the kit alone, list every item of a large album and hold its key', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await foundAlbum(ana);
  await world.bringIn(ana, ben);
  await world.until(() => albumOf(ben) === ITEMS);
  const kit = ana.kit();
  const laptop = await world.another(ana);
  await world.until(() => albumOf(laptop) === ITEMS);
  await Promise.all([ana.stop(), laptop.stop()]);
  const fresh = await world.comeBack('ana', kit, { knows: [ben.jid], endsOthers: true });
  await world.until(() => albumOf(fresh) === ITEMS && fresh.session.sphere().state.endedDevices.size === 2);
  expect([albumOf(fresh), albumOf(ben)]).toEqual([ITEMS, ITEMS]);
}, 240_000);
