import { writeFile } from 'node:fs/promises';
import type { ItemId } from '../../src/base/id.ts';
import { fullBitfield } from '../../src/spheres/piece-map.ts';
import { readIdentity } from '../../src/torrent/file-identity.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';
import { bitfieldOf } from '../fixtures/bitfield-of.ts';

export interface SharedFilm {
  readonly world: SimWorld;
  readonly ana: SimPerson;
  readonly ben: SimPerson;
  readonly itemId: ItemId;
  readonly content: string;
}

/** Ana has shared a film with Ben, whose device lists it. */
export async function sharedFilm(): Promise<SharedFilm> {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const content = 'film '.repeat(1000);
  const itemId = await ana.share('beach.mp4', content);
  await world.quiet();
  return { world, ana, ben, itemId, content };
}

/** Ben asks for the item and his swarm takes it. */
export async function fetchBegun({ world, ben, itemId }: Pick<SharedFilm, 'world' | 'ben' | 'itemId'>): Promise<void> {
  ben.session.items.get(itemId);
  await ben.session.items.placed(itemId, noSignal);
  await world.quiet();
}

/** Ben's swarm writes the whole film and says so. */
export async function arrive(film: SharedFilm, content = film.content, count = pieces(film)): Promise<void> {
  const { world, ben, itemId } = film;
  const { items, swarm } = ben.session;
  const { infoHash, path } = items.row(itemId);
  await writeFile(path ?? '', content);
  const identities = [await readIdentity(path ?? '')];
  const bytesHave = Buffer.byteLength(content);
  swarm.emit({ kind: 'have', infoHash, bitfield: fullBitfield(count), bytesHave, identities });
  swarm.say(infoHash, 'complete');
  await world.quiet();
}

/** Ben's swarm has the first piece. */
export async function arriveFirstPiece(film: SharedFilm): Promise<void> {
  const { world, ben, itemId } = film;
  const { infoHash } = ben.session.items.row(itemId);
  const bitfield = bitfieldOf(pieces(film), 0, 0);
  ben.session.swarm.emit({ kind: 'have', infoHash, bitfield, bytesHave: 16, identities: null });
  ben.session.swarm.say(infoHash, 'downloading');
  await world.quiet();
}

function pieces({ ana, itemId }: SharedFilm): number {
  return (ana.session.items.row(itemId).bitfield?.length ?? 0) * 8;
}
