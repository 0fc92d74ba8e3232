import type { EventId } from '../../src/base/id.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

/** The key of the computer. */
export const idOf = ({ session }: SimPerson) => session.identity.device.id;
export const sphereAt = ({ session }: SimPerson, name: string) => session.sphere(name).state;

/** Ben has a phone and a laptop, and is in two spheres of Ana's. */
export async function twoSpheres() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const winter = await ana.session.members.create('Winter', noSignal);
  await ana.session.members.invite(winter.id, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  const laptop = await world.another(ben);
  await world.until(() => laptop.session.list.all().length === 2 && sphereAt(ana, 'Winter').devices.has(idOf(laptop)));
  await world.until(() => ben.session.devices.list().length === 2);
  return { world, ana, ben, laptop, lost: idOf(laptop), winter: winter.id };
}

/** Somebody whom their program asks for what is lacking gets no answer, for as long as `isMute`. */
export function unheard(person: SimPerson): { isMute: boolean } {
  const state = { isMute: true };
  const { channel } = person.session;
  const say = channel.say.bind(channel);
  channel.say = async (sphere, kind, body) => {
    if (kind !== 'want' || !state.isMute) await say(sphere, kind, body);
  };
  return state;
}

/** Ben has said and shared something in a sphere of Ana's, and she has it. */
export async function saidAndShared() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  ben.session.messages.say(ben.session.sphere().id, 'hello');
  const item = await ben.share('summer.mp4');
  await world.until(() => sphereAt(ana, 'Summer').items.has(item));
  return { world, ana, ben, item };
}

/** The archive of a server that does not answer; until the returned function is called. */
export function silence({ server }: SimWorld): () => void {
  const { answerHistory } = server;
  server.answerHistory = () => {
    throw new Error('the archive is slow');
  };
  return () => {
    server.answerHistory = answerHistory;
  };
}

/** What people wrote, as far as it can be read. */
export const textsAt = ({ session }: SimPerson, name = 'Summer'): string[] =>
  session.storage.messages
    .newest(session.sphere(name).id, 99)
    .flatMap(({ kind, state, text }) => (kind === 'text' && state !== 'undecryptable' ? [text] : []));
export const say = ({ session }: SimPerson, text: string, name = 'Summer'): EventId =>
  session.messages.say(session.sphere(name).id, text);

/** One line of a computer that the server swallows, so that a gap stands before what it says next. */
export async function sayBehindGap(world: SimWorld, person: SimPerson): Promise<void> {
  const { server } = world;
  const { deliver } = server;
  const { archive } = server.room(person.session.sphere('Summer').row.room);
  const before = archive.length;
  server.deliver = () => [];
  say(person, 'swallowed');
  await world.quiet();
  archive.splice(before);
  server.deliver = deliver;
  say(person, 'heard');
  await world.quiet();
}
