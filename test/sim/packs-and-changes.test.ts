import { parseBareJid } from '../../src/base/id.ts';
import { expect, test } from 'vitest';
import { boast } from './boast.ts';
import { begins, carry, filesOf, giverOf, LINES, log, longSphere, MINUTE, onItsWay, packs, rows } from './long-past.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const packed = (world: SimWorld): number => world.entries.filter(({ text }) => text === 'history packed').length;
const deviceOf = ({ session }: SimPerson) => session.sphere().device;

/** A newcomer asks nobody but this one. */
async function asksOnly(world: SimWorld, only: SimPerson): Promise<() => void> {
  const deaf = world.people.filter((person) => person !== only && person.isRunning);
  const heard = deaf.map(({ session }) => session.channel.receive.bind(session.channel));
  for (const { session } of deaf) session.channel.receive = () => Promise.resolve();
  return () => {
    for (const [index, { session }] of deaf.entries()) {
      const receive = heard[index];
      if (receive !== undefined) session.channel.receive = receive;
    }
  };
}

test('a pack comes all the same when the sphere moves to another server meanwhile', async () => {
  const { world, ana, sphere, laptop, giver } = await onItsWay();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.pass(MINUTE);
  await carry(world, giver, laptop);
  await world.pass(MINUTE);
  expect([begins(laptop), log(laptop)]).toEqual([begins(ana), log(ana)]);
  expect([rows(giver), await filesOf(giver)]).toEqual([[], []]);
});

test('a pack is fetched on by somebody who goes on under another account meanwhile', async () => {
  const { world, ana } = await longSphere();
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  await world.until(() => packs(eva).length > 0);
  const giver = giverOf(world, eva);
  await eva.moveTo(parseBareJid('eva@other.sim'));
  await world.until(() => packs(eva).length > 0);
  await carry(world, giver, eva);
  await world.pass(MINUTE);
  expect([begins(eva), log(eva), rows(giver)]).toEqual([begins(ana), log(ana), []]);
});

test('when the giver of a pack leaves, another member gives one', async () => {
  const { world, ana, ben, sphere } = await longSphere();
  const hearAgain = await asksOnly(world, ben);
  const laptop = await world.another(ana);
  await world.until(() => packs(laptop).length > 0);
  hearAgain();
  const before = packs(laptop)[0]?.infoHash;
  await ben.session.members.leave(sphere.id, noSignal);
  await world.until(() => packs(laptop).some(({ infoHash }) => infoHash !== before));
  await carry(world, ana, laptop);
  expect([begins(laptop), log(laptop)]).toEqual([begins(ana), log(ana)]);
});

test('a computer whose end waits gets no pack, and nothing of one that was made for it', async () => {
  const { world, ana, ben } = await longSphere();
  await ben.stop();
  const laptop = await world.another(ana);
  await world.until(() => packs(laptop).length > 0);
  boast(laptop);
  laptop.session.logs.meet(laptop.session.sphere());
  await world.pass(MINUTE);
  ana.session.devices.end(deviceOf(laptop));
  await world.pass(5 * MINUTE);
  expect([rows(ana), packs(ana), await filesOf(ana), packed(world)]).toEqual([[], [], [], 1]);
  expect([ana.session.devices.isEnding(deviceOf(laptop)), begins(laptop)]).toEqual([true, []]);
});

test('a computer that is to end gives what it has by mail: no swarm lets it in any more', async () => {
  const { world, ana, ben } = await longSphere();
  await ben.stop();
  const laptop = await world.another(ana);
  await world.until(() => packs(laptop).length > 0);
  laptop.session.devices.end(deviceOf(ana));
  await world.pass(MINUTE);
  expect([rows(laptop), packs(laptop)]).toEqual([[], []]);
  await world.until(() => begins(laptop).length === LINES);
  expect([packed(world), rows(laptop)]).toEqual([1, []]);
});

test('the key of a pack does not leave any more once its receiver is removed', async () => {
  const { world, ana, ben, sphere } = await longSphere();
  ana.session.link.goOffline();
  const events = sphere.log.events();
  expect(ana.session.packs.give({ sphere, device: deviceOf(ben), events })).toBe(true);
  const tickets = () => ana.session.storage.outbox.byEvent(events[0]?.id as (typeof events)[0]['id']);
  await world.until(() => tickets().length > 0);
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.pass(MINUTE);
  expect([tickets(), rows(ana), await filesOf(ana)]).toEqual([[], [], []]);
});

test('whoever was removed and is back gets no pack that was made before', async () => {
  const { world, ana, ben, sphere } = await longSphere('from-join');
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.pass(MINUTE);
  const before = { sphere, device: deviceOf(eva), events: sphere.log.events() };
  await eva.stop();
  expect(ana.session.packs.give(before)).toBe(true);
  await world.until(() => rows(ana).includes('given'));
  await ana.stop();
  await ben.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.pass(MINUTE);
  await eva.start();
  await ben.session.members.invite(sphere.id, eva.jid, noSignal);
  await world.quiet();
  await world.accept(eva);
  // Ana hears of both at once: from Ben, in one message.
  world.server.room(sphere.row.room).archive.splice(0);
  await ana.start();
  await world.until(() => log(ana).length === log(ben).length);
  await world.pass(MINUTE);
  expect([rows(ana), packs(ana), await filesOf(ana)]).toEqual([[], [], []]);
});

test('where there are no packs nobody looks for any each minute', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  await ana.session.members.create('Summer', noSignal);
  await world.pass(MINUTE);
  const { packs: table } = ana.session.storage;
  const list = table.list.bind(table);
  let looks = 0;
  table.list = () => {
    looks += 1;
    return list();
  };
  await world.pass(600 * MINUTE);
  expect(looks).toBeLessThan(20);
});
