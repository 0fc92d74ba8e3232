import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { Warnings } from '../../src/engine/warnings.ts';
import type { RecoveryKit } from '../../src/spheres/protocol/recovery-kit.ts';
import type { VaultContent } from '../../src/spheres/protocol/vault.ts';
import { openVault, readChunkHeader } from '../../src/spheres/protocol/vault.ts';
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
  for (let part = 0; part < 2; part += 1) await world.pass(MINUTE);
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

/** What somebody who comes with the kit at this moment could open, the newest last. */
function readable(world: SimWorld, person: SimPerson, { recoveryKey }: RecoveryKit): VaultContent[] {
  const vault = vaultOf(world, person);
  const opened = [0, 1, 2].flatMap((slot): VaultContent[] => {
    const first = vault.get(`${slot} 0`);
    const count = (first && readChunkHeader(first)?.count) ?? 0;
    const chunks = Array.from({ length: count }, (_, index) => vault.get(`${slot} ${index}`) ?? new Uint8Array());
    try {
      return [openVault(recoveryKey, chunks)];
    } catch {
      return [];
    }
  });
  return opened.toSorted((a, b) => a.number - b.number);
}

/** Ana's laptop too, and so much in the vault that it is written in several steps. */
async function twoComputers() {
  const { world, ana, kit, sphere } = await two();
  const laptop = await world.comeBack(ana.name, kit);
  await world.until(() => names(laptop).length === 1);
  for (let number = 0; number < 90; number += 1) ana.session.members.rename(sphere.id, `Summer ${number}`);
  await world.until(() => names(laptop)[0] === 'Summer 89');
  for (let minute = 0; minute < 10; minute += 1) await world.pass(MINUTE);
  expect([...vaultOf(world, ana).keys()].filter((at) => at.endsWith(' 1'))).not.toEqual([]);
  return { world, ana, laptop, kit, sphere };
}

interface Step {
  readonly isWriting: boolean;
  readonly go: (isCut: boolean) => void;
}

/** Each step of reading and writing waits in the list until the test lets it go on, or breaks it off. */
function inSteps({ session: { link } }: SimPerson): { readonly steps: Step[]; isOver: boolean } {
  const held = { steps: [] as Step[], isOver: false };
  const turn = (isWriting: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const error = new AppError('disconnected', 'cut off');
      if (held.isOver) resolve();
      else held.steps.push({ isWriting, go: (isCut) => (isCut ? reject(error) : resolve()) });
    });
  const [get, put] = [link.get.bind(link), link.put.bind(link)];
  link.get = async (...at) => {
    await turn(false);
    return await get(...at);
  };
  link.put = async (...rest) => {
    await turn(true);
    await put(...rest);
  };
  return held;
}

test('two computers that write at the same time, wherever either is cut off, leave a vault that opens, and come to the same', async () => {
  const { world, ana, laptop, kit, sphere } = await twoComputers();
  // Each is to learn of the other's sphere from the vault alone.
  world.server.sayTo = () => undefined;
  await ana.session.members.create('Winter', noSignal);
  await laptop.session.members.create('Spring', noSignal);
  const computers = [ana, laptop].map((person) => ({ members: person.session.members, held: inSteps(person) }));
  let turn = 0;
  let unreadable = 0;
  for (let step = 0; step < 800; step += 1) {
    // Each goes on for a while, and stands still for a while, in the middle of whatever it does.
    if (world.chance(8) === 0) turn = 1 - turn;
    const isWaiting = computers.every(({ held }) => held.steps.length === 0);
    const next = computers[turn]?.held.steps.shift();
    next?.go(world.chance(12) === 0);
    if (isWaiting) computers[turn]?.members.rename(sphere.id, `Summer in ${step}`);
    if (isWaiting) await world.quiet();
    await world.clock.advance(isWaiting ? 25_000 : 0);
    if (readable(world, ana, kit).length === 0) unreadable += 1;
  }
  for (const { held } of computers) {
    held.isOver = true;
    for (const { go } of held.steps) go(false);
  }
  expect(unreadable).toBe(0);
  for (let part = 0; part < 8; part += 1) await world.pass(20 * MINUTE);
  const last = new Map(vaultOf(world, ana));
  for (let part = 0; part < 4; part += 1) await world.pass(60 * MINUTE);
  expect(vaultOf(world, ana)).toEqual(last);
  expect(readable(world, ana, kit)).toHaveLength(3);
  expect(names(ana).toSorted()).toEqual(names(laptop).toSorted());
  const kept = readable(world, ana, kit)
    .at(-1)
    ?.parts.map(({ sphereId }) => sphereId);
  expect(new Set(kept)).toEqual(new Set(ana.session.list.all().map(({ id }) => id)));
  expect(kept).toHaveLength(3);
});

test('what can be read stays until what two computers broke is written again', async () => {
  const { world, ana, laptop, kit } = await twoComputers();
  await laptop.stop();
  await ana.stop();
  const vault = vaultOf(world, ana);
  const before = readable(world, ana, kit);
  const broken = [...vault].filter(([, chunk]) => readChunkHeader(chunk)?.number === before.at(-1)?.number);
  for (const [at, chunk] of broken) vault.set(at, chunk.toReversed());
  const whole = [...vault].filter(([at]) => broken.every(([one]) => one !== at));
  await ana.start();
  await world.pass(MINUTE / 4);
  expect(whole.every(([at, chunk]) => vault.get(at) === chunk)).toBe(true);
  expect(readable(world, ana, kit)).toHaveLength(before.length);
});

test('a computer that is cut off over what another one has just written makes the server none that gives an old vault', async () => {
  const { world, ana, laptop, kit } = await twoComputers();
  world.server.sayTo = () => undefined;
  const [anas, laptops] = [inSteps(ana).steps, inSteps(laptop).steps];
  const run = async (steps: Step[], isMeant: (step: Step) => boolean): Promise<void> => {
    for (let [next] = steps; next !== undefined && isMeant(next); [next] = steps) {
      steps.shift()?.go(false);
      await world.clock.advance(0);
    }
  };
  // Each has something that the other one does not know of.
  await ana.session.members.create('Winter', noSignal);
  await laptop.session.members.create('Spring', noSignal);
  await world.quiet();
  await world.clock.advance(25_000);
  for (const steps of [anas, laptops]) await run(steps, ({ isWriting }) => !isWriting);
  await run(anas, () => true);
  laptops.shift()?.go(false);
  await world.clock.advance(0);
  expect(laptops.map(({ isWriting }) => isWriting)).toEqual([true]);
  laptops.shift()?.go(true);
  await laptop.stop();
  await ana.stop();
  await ana.start();
  await world.pass(MINUTE / 4);
  expect(Warnings.list(ana.session.storage)).toEqual([]);
  expect(readable(world, ana, kit).length).toBeGreaterThan(1);
});
