import { expect, test } from 'vitest';
import { toUtf8 } from '../../src/base/bytes.ts';
import type { EventId, ItemId } from '../../src/base/id.ts';
import type { Attachment } from '../../src/spheres/protocol/envelope.ts';
import { attachment } from '../../src/spheres/protocol/envelope.ts';
import { sha256Hex } from '../../src/spheres/protocol/keys.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const madeUp = (fill: number): Attachment => attachment('media-key', new Uint8Array(60).fill(fill));

async function three() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  await world.pass(MINUTE);
  return { world, ana, ben, eva, sphere };
}

/** Says an event of anybody once more, with this beside it. */
async function resend(world: SimWorld, by: SimPerson, id: string, attachments: readonly Attachment[]): Promise<void> {
  const sphere = by.session.sphere();
  const event = sphere.log.get(id as EventId);
  if (event === undefined) throw new Error('the event is not here');
  sphere.enqueue(event, attachments, { audience: { kind: 'members' } });
  by.session.outgoing.poke();
  await world.quiet();
}

function opens({ session }: SimPerson, itemId: ItemId): boolean {
  const sphere = session.sphere();
  try {
    return session.source.mediaKey(sphere, session.source.event(sphere, itemId)) !== null;
  } catch {
    return false;
  }
}

const wrapped = ({ session }: SimPerson, itemId: ItemId): Uint8Array | undefined =>
  session.storage.attachments.get(itemId as string as EventId, 'media-key');

test('a member who sends an item once more with a key of their own takes it from nobody, its sharer included', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  ana.session.members.setRole(sphere.id, eva.jid, 'viewer');
  const itemId = await ben.share('beach.mp4', 'film '.repeat(1000));
  await world.quiet();
  await resend(world, eva, itemId, [madeUp(9)]);
  expect([ana, ben, eva].map((person) => opens(person, itemId))).toEqual([true, true, true]);
  await ben.stop();
  await ben.start();
  await world.pass(MINUTE);
  expect(ben.session.items.row(itemId).state).toBe('sharing');
});

test('a made-up key that stands where the right one belongs is handed on to nobody, and gives way to it', async () => {
  const { world, ana, ben, eva } = await three();
  const itemId = await ben.share('beach.mp4', 'film '.repeat(1000));
  await world.quiet();
  const right = wrapped(ana, itemId) ?? new Uint8Array();
  // As profiles hold it that took it in.
  for (const { session } of [ana, ben]) {
    session.storage.attachments.put({ eventId: itemId as string as EventId, ...keyRow(madeUp(9)) });
  }
  // Who has the right one is not there to be asked for it.
  await eva.stop();
  await ben.stop();
  await ben.start();
  await world.pass(MINUTE);
  expect(opens(ben, itemId)).toBe(false);
  const dan = await world.person('dan');
  await world.bringIn(ana, dan);
  expect(wrapped(dan, itemId)).toBeUndefined();
  await eva.start();
  await world.pass(3 * MINUTE);
  await resend(world, eva, itemId, [attachment('media-key', right)]);
  expect([ana, ben, dan].map((person) => opens(person, itemId))).toEqual([true, true, true]);
  await world.pass(MINUTE);
  expect(ben.session.swarm.torrents.has(ben.session.items.row(itemId).infoHash)).toBe(true);
});

test('whoever lacks the key of the epoch keeps the right key among made-up ones, whichever came first', async () => {
  for (const isRightFirst of [true, false]) {
    const { world, ana, ben, sphere } = await three();
    const itemId = await ana.share('beach.mp4');
    await world.quiet();
    const right = attachment('media-key', wrapped(ana, itemId) ?? new Uint8Array());
    const theirs = ben.session.sphere();
    const event = theirs.log.get(itemId as string as EventId);
    const epoch = ben.session.storage.epochs.get(sphere.id, theirs.currentEpoch.eventId);
    if (event === undefined || epoch === undefined) throw new Error('nothing came');
    const { epochs, attachments } = ben.session.storage;
    epochs.remove(sphere.id, epoch.epochId);
    attachments.remove(event.id, 'media-key');
    theirs.readEpochs();
    const copies = [madeUp(1), madeUp(2), ...Array.from({ length: 40 }, (_, index) => madeUp(index + 3))];
    const few = isRightFirst ? [right, ...copies] : [...copies.slice(0, 2), right, ...copies.slice(2)];
    for (const copy of few) theirs.takeAll([{ event, kept: [copy] }]);
    expect(wrapped(ben, itemId)?.length).toBeLessThanOrEqual(4 * 60);
    epochs.put(epoch);
    theirs.readEpochs();
    expect(opens(ben, itemId)).toBe(true);
  }
});

/** Of kinds that this version does not know. */
function unknown(count: number, from = 100, bytes = 1): Attachment[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: null,
    code: from + index,
    bytes: new Uint8Array(bytes),
  }));
}

const unknownAt = ({ session }: SimPerson, id: string): string[] =>
  session.storage.attachments.list(id as EventId).flatMap(({ kind }) => (/^\d+$/.test(kind) ? [kind] : []));

test('a member who puts more than an entry holds beside an event, of kinds that nobody knows, keeps no newcomer and no second computer out', async () => {
  const { world, ana, eva, sphere } = await three();
  await resend(world, eva, sphere.id, unknown(16));
  await resend(world, eva, sphere.id, unknown(16, 116));
  await resend(world, eva, sphere.id, unknown(1, 132, 33 * 1024));
  expect(unknownAt(ana, sphere.id)).toEqual(unknown(16).map(({ code }) => String(code)));
  const dan = await world.person('dan');
  await world.bringIn(ana, dan);
  expect(dan.session.sphere().epochs).toHaveLength(1);
  const laptop = await world.another(ana);
  await world.until(() => laptop.session.list.all().length === 1);
  expect(laptop.session.sphere().epochs).toHaveLength(1);
});

test('a profile in which an event has more beside it than an entry holds, passes on what there is room for', async () => {
  const { world, ana, sphere } = await three();
  const { attachments } = ana.session.storage;
  const eventId = sphere.id as string as EventId;
  for (const { code, bytes } of unknown(32)) attachments.put({ eventId, kind: String(code), bytes });
  const itemId = (await ana.share('album.zip')) as string as EventId;
  attachments.put({ eventId: itemId, kind: 'manifest', bytes: new Uint8Array(2 * 1024 * 1024) });
  const laptop = await world.another(ana);
  await world.until(() => laptop.session.list.all().length === 1);
  const dan = await world.person('dan');
  await world.bringIn(ana, dan);
  expect(unknownAt(dan, eventId)).toHaveLength(16);
  expect(opens(dan, itemId as string as ItemId)).toBe(true);
});

test('what later versions put beside an event that this one knows comes to newcomers too, bounded', async () => {
  const { world, ana, eva } = await three();
  const sphere = eva.session.sphere();
  const say = (attachments: readonly Attachment[]): EventId => {
    const body = { textSha256: sha256Hex(toUtf8('hello')), replyTo: null };
    return sphere.append('message', body, { audience: { kind: 'members' }, attachments, line: 'hello' }).id;
  };
  const [few, long] = [say(unknown(3)), say([...unknown(1), ...unknown(1, 101, 33 * 1024)])];
  eva.session.outgoing.poke();
  await world.quiet();
  const dan = await world.person('dan');
  await world.bringIn(ana, dan);
  expect([ana, dan].map((person) => unknownAt(person, few))).toEqual([
    ['100', '101', '102'],
    ['100', '101', '102'],
  ]);
  expect([ana, dan].map((person) => unknownAt(person, long))).toEqual([['100'], ['100']]);
});

function keyRow({ bytes }: Attachment): { readonly kind: string; readonly bytes: Uint8Array } {
  return { kind: 'media-key', bytes };
}
