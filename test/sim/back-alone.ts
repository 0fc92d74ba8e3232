import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';
import { idOf, say } from './two-spheres.ts';

const MINUTE = 60_000;

/** Ben comes back on a phone with his kit, everything of before being gone, while nobody is there and the room has forgotten. */
export async function backAlone(world: SimWorld, ana: SimPerson, ben: SimPerson): Promise<SimPerson> {
  const kit = ben.kit();
  await ben.stop();
  await ana.stop();
  world.server.answerHistory = () => [];
  const phone = await world.comeBack('ben', kit, { knows: [ana.jid], endsOthers: true });
  await world.until(() => phone.session.list.all().length === 1);
  await world.pass(120 * MINUTE);
  return phone;
}

/** Ben, or Ana, owns the sphere in which Ben has said and shared something that both have; his kit is in the vault. */
export async function saidAndKept(owner: 'ana' | 'ben') {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await (owner === 'ana' ? world.sphere(ana, ben) : world.sphere(ben, ana));
  // A vault is kept as soon as there is a kit.
  ben.kit();
  ben.session.vault.changed();
  await world.pass(MINUTE);
  say(ben, 'hello');
  const item = await ben.share('summer.mp4');
  await world.pass(2 * MINUTE);
  return { world, ana, ben, item, gone: idOf(ben) };
}
