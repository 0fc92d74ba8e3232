import { expect, test } from 'vitest';
import { Warnings } from '../../src/engine/warnings.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const names = ({ session }: SimPerson) => session.list.all().map(({ state }) => state.name);
const vaultOf = (world: SimWorld, person: SimPerson) => world.server.account(person.jid).vault;

/** Ana and Ben in a sphere with a film of Ben's; Ana has a kit, and her vault is kept. */
async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const item = await ben.share('beach.mp4');
  await world.quiet();
  const kit = ana.kit();
  ana.session.vault.changed();
  await world.pass(MINUTE);
  return { world, ana, ben, sphere, item, kit };
}

test('with nobody there the kit alone brings the spheres back; what was shared comes with the first who has it', async () => {
  const { world, ana, ben, item, kit, sphere } = await two();
  await Promise.all([ana.stop(), ben.stop()]);
  world.server.answerHistory = () => [];
  const fresh = await world.comeBack(ana.name, kit);
  await world.until(() => names(fresh).length === 1);
  expect(names(fresh)).toEqual(['Summer']);
  expect(fresh.session.sphere().currentEpoch.number).toBe(0);
  fresh.session.messages.say(sphere.id, 'I am back');
  await world.pass(MINUTE);
  // What waited in the room for Ben.
  world.server.answerHistory = (entries) => entries;
  await ben.start();
  await world.until(() => ben.session.texts().length === 1 && fresh.session.storage.items.get(item) !== undefined);
  expect(ben.session.texts()).toEqual(['I am back']);
  const { source } = fresh.session;
  expect(source.mediaKey(fresh.session.sphere(), source.event(fresh.session.sphere(), item))).not.toBeNull();
});

test('a vault from before a removal still brings back the sphere: members give the key of today', async () => {
  const { world, ana, ben, kit, sphere } = await two();
  const eva = await world.person('eva');
  await world.bringIn(ana, eva);
  await world.pass(MINUTE);
  const old = new Map(vaultOf(world, ana));
  await ana.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.pass(MINUTE);
  await ana.stop();
  world.server.account(ana.jid).vault = old;
  const fresh = await world.comeBack(ana.name, kit);
  await world.until(() => names(fresh).length === 1 && fresh.session.sphere().epochs[0]?.number === 1);
  expect(fresh.session.sphere().currentEpoch).toEqual(ben.session.sphere().currentEpoch);
});

test('a server that gives an older vault is noticed by whoever wrote the newer one, and gets it again', async () => {
  const { world, ana } = await two();
  const old = new Map(vaultOf(world, ana));
  await ana.session.members.create('Winter', noSignal);
  await world.pass(MINUTE);
  expect(vaultOf(world, ana)).not.toEqual(old);
  await ana.stop();
  world.server.account(ana.jid).vault = old;
  await ana.start();
  await world.pass(MINUTE);
  expect(Warnings.list(ana.session.storage)).toEqual(['vault-old']);
  const kit = ana.kit();
  await ana.stop();
  const fresh = await world.comeBack(ana.name, kit);
  await world.until(() => names(fresh).length === 2);
  expect(names(fresh).toSorted()).toEqual(['Summer', 'Winter']);
});

test('a vault that the server made up or broke brings nothing, and the next one is kept all the same', async () => {
  const { world, ana, kit } = await two();
  const { vault } = world.server.account(ana.jid);
  for (const [at, bytes] of vault)
    vault.set(
      at,
      bytes.map((byte, index) => (index > 20 ? byte ^ 1 : byte)),
    );
  const fresh = await world.comeBack(ana.name, { ...kit, recoveryKey: kit.recoveryKey });
  await world.until(() => names(fresh).length === 1);
  await world.pass(MINUTE);
  await Promise.all([ana.stop(), fresh.stop()]);
  const again = await world.comeBack(ana.name, kit);
  await world.until(() => names(again).length === 1);
  expect(names(again)).toEqual(['Summer']);
});

test('a sphere that one computer made comes to another from the vault; one that was left is not in it any more', async () => {
  const { world, ana, kit } = await two();
  const laptop = await world.comeBack(ana.name, kit);
  await world.until(() => names(laptop).length === 1);
  await ana.stop();
  world.server.sayTo = () => undefined;
  const winter = await laptop.session.members.create('Winter', noSignal);
  await world.pass(MINUTE);
  await laptop.stop();
  await ana.start();
  await world.until(() => names(ana).length === 2);
  expect(names(ana)).toEqual(['Summer', 'Winter']);
  await ana.session.members.leave(winter.id, noSignal);
  await world.pass(MINUTE);
  await ana.stop();
  const fresh = await world.comeBack(ana.name, kit);
  await world.until(() => names(fresh).length > 0);
  await world.pass(MINUTE);
  expect(names(fresh)).toEqual(['Summer']);
});
