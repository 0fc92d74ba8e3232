import { expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { MemoryOmemoStore } from '../../src/omemo/memory-store.ts';
import type { Omemo } from '../../src/omemo/omemo.ts';
import type { OmemoMessage } from '../../src/omemo/types.ts';
import { openSealed } from '../../src/spheres/protocol/seal.ts';
import { parseEntries } from '../../src/spheres/protocol/envelope.ts';
import { xml } from '../../src/xmpp/element.ts';
import { readOmemoMessage } from '../../src/xmpp/xep/0384-omemo.ts';
import { readSealed } from '../../src/xmpp/sealed.ts';
import { plantDevice } from './plant-device.ts';
import type { Kept } from './sim-server.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

/** A device that the server puts into somebody's list; it reads along whatever it gets a key for. */
class Ghost {
  readonly #omemo: Omemo;
  readonly #store: MemoryOmemoStore;

  static async plant(world: SimWorld, person: SimPerson): Promise<Ghost> {
    const store = new MemoryOmemoStore();
    const omemo = await plantDevice(world, person.jid, store);
    for (const { session } of world.people.filter(({ isRunning }) => isRunning)) session.directory.forget();
    return new Ghost(omemo, store);
  }

  private constructor(omemo: Omemo, store: MemoryOmemoStore) {
    this.#omemo = omemo;
    this.#store = store;
  }

  /** Kinds of everything it can open of what was said. */
  async read(archive: readonly Kept[]): Promise<{ texts: string[]; events: string[]; attachments: string[] }> {
    const seen: { texts: string[]; events: string[]; attachments: string[] } = {
      texts: [],
      events: [],
      attachments: [],
    };
    for (const { stanza, from } of archive) {
      const message: OmemoMessage | undefined = readOmemoMessage(stanza);
      const sealed = readSealed(stanza);
      if (message === undefined) continue;
      const read = await this.#omemo.decrypt(
        { from, message },
        (result, changes) => {
          this.#store.apply(changes);
          return result;
        },
        noSignal,
      );
      if ('kind' in read) continue;
      if (read.text !== null) seen.texts.push(read.text);
      if (sealed === undefined) continue;
      const entries = openSealed({ messageKey: read.messageKey, context: sealed }, sealed.bytes);
      for (const { event, attachments } of parseEntries(entries, sealed.sphere).delivered) {
        seen.events.push(event.type);
        seen.attachments.push(...attachments.map(({ kind }) => kind ?? 'unknown'));
      }
    }
    return seen;
  }
}

test('a ghost device of a member who has joined gets nothing at all', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const ghost = await Ghost.plant(world, ben);
  ana.session.messages.say(sphere.id, 'for ben alone');
  await ana.share('beach.mp4');
  await world.quiet();
  expect(await ghost.read(world.server.room(sphere.row.room).archive)).toEqual({
    texts: [],
    events: [],
    attachments: [],
  });
  expect(ben.session.texts()).toEqual(['for ben alone']);
});

test('a ghost device of somebody invited gets lines at most, and no epoch key ever', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana);
  await ana.share('secret before.mp4');
  const ghost = await Ghost.plant(world, ben);
  await ana.session.members.invite(sphere.id, ben.jid, noSignal);
  ana.session.messages.say(sphere.id, 'ben, come in');
  const itemId = await ana.share('beach.mp4');
  await world.quiet();
  await world.accept(ben);
  await ana.share('after.mp4');
  await world.quiet();
  const { texts, attachments, events } = await ghost.read(world.server.room(sphere.row.room).archive);
  expect(texts).toContain('ben, come in');
  expect(texts.join()).not.toContain('before');
  expect(attachments).not.toContain('epoch-key');
  expect(events).not.toContain('epoch');
  const theirs = ben.session.sphere();
  expect(ben.session.source.mediaKey(theirs, ben.session.source.event(theirs, itemId))).not.toBeNull();
});

test('an invitation that somebody else passes on is refused', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, eve);
  await ana.session.members.invite(sphere.id, ben.jid, noSignal);
  await world.quiet();
  const [open] = ben.session.storage.invitations.list('open');
  if (open === undefined) throw new Error('not invited');
  const zoe = await world.person('zoe');
  // What Ben got, word for word, sealed anew by Eve for Zoe and for Ben.
  for (const jid of [zoe.jid, ben.jid]) {
    const line = 'come in';
    eve.session
      .sphere()
      .enqueueEnvelope(open.id as never, open.envelope, jid, { audience: { kind: 'account', jid }, line });
  }
  ben.session.storage.invitations.remove(open.id);
  eve.session.outgoing.poke();
  await world.quiet();
  expect(zoe.session.storage.invitations.list('open')).toEqual([]);
  expect(ben.session.storage.invitations.list('open')).toEqual([]);
});

test('invitations are bounded: one who invites without end does not keep out the others', async () => {
  const world = new SimWorld();
  const [eve, ana, ben] = [await world.person('eve'), await world.person('ana'), await world.person('ben')];
  for (let number = 0; number < 12; number += 1) {
    const { id } = await eve.session.members.create(`spam ${number}`, noSignal);
    await eve.session.members.invite(id, ben.jid, noSignal);
  }
  await world.quiet();
  const sphere = await ana.session.members.create('Summer', noSignal);
  await ana.session.members.invite(sphere.id, ben.jid, noSignal);
  await world.quiet();
  const open = ben.session.storage.invitations.list('open');
  expect(open.filter(({ from }) => from === eve.jid)).toHaveLength(5);
  expect(open.filter(({ from }) => from === ana.jid)).toHaveLength(1);
});

test('one member without readable keys stops nobody and gets everything once the keys are there', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, eva);
  // Ben comes later, knows Eva from the log alone, and finds no keys of hers.
  const { bundles } = world.server.account(eva.jid);
  const hidden = [...bundles];
  bundles.clear();
  await world.bringIn(ana, ben);
  ben.session.messages.say(sphere.id, 'one');
  ben.session.messages.say(sphere.id, 'two');
  await world.quiet();
  expect(ana.session.texts()).toEqual(['one', 'two']);
  expect(eva.session.texts()).toEqual(['(undecryptable)', '(undecryptable)']);
  expect(ben.session.outgoing.isIdle).toBe(true);
  for (const [deviceId, bundle] of hidden) bundles.set(deviceId, bundle);
  ben.session.outgoing.keysChanged();
  await world.quiet();
  expect(eva.session.texts()).toEqual(['one', 'two']);
  expect(eva.session.eventIds()).toEqual(ana.session.eventIds());
  expect(ben.session.storage.outbox.list('queued')).toEqual([]);
});

test('an invitation to an account without keys waits and holds up nothing', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  await ana.session.members.invite(sphere.id, parseBareJid('nobody@home.sim'), noSignal);
  ana.session.messages.say(sphere.id, 'still heard');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['still heard']);
  expect(ana.session.outgoing.isIdle).toBe(true);
  expect(ana.session.storage.outbox.list('queued')).toHaveLength(1);
});

test('a room that replays everything a day later changes nothing', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  ana.session.messages.say(sphere.id, 'once');
  await world.quiet();
  await world.clock.advance(24 * 3_600_000);
  const before = ben.session.lines();
  const { archive } = world.server.room(sphere.row.room);
  for (const { stanza, from } of [...archive]) world.server.sayInRoom(sphere.row.room, from, stanza);
  await world.quiet();
  expect(ben.session.lines()).toEqual(before);
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('after the marks of what was read are pruned, a replay still shows nothing twice', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const { row } = sphere;
  ana.session.messages.say(sphere.id, 'once');
  await world.quiet();
  ben.session.storage.seen.prune(Number.MAX_SAFE_INTEGER);
  const before = ben.session.lines();
  for (const { stanza, from } of [...world.server.room(row.room).archive])
    world.server.sayInRoom(row.room, from, stanza);
  await world.quiet();
  expect(ben.session.lines()).toEqual(before);
});

test('a member who copies the keys of a message into one of their own does not hide it from whoever was away', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  await ben.stop();
  ana.session.messages.say(sphere.id, 'meet at six');
  await world.quiet();
  const said = world.server.room(sphere.row.room).archive.at(-1);
  if (said === undefined) throw new Error('nothing was said');
  // As when Ben's own archive is read before the one of the room.
  const { answerHistory } = world.server;
  world.server.answerHistory = () => [];
  world.server.sayTo(ben.jid, eve.jid, xml('message', { type: 'chat' }, ...said.stanza.children));
  await ben.start();
  await world.quiet();
  world.server.answerHistory = answerHistory;
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['meet at six']);
});
