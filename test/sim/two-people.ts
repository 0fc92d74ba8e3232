import type { EventId } from '../../src/base/id.ts';
import { SimWorld } from './sim-world.ts';

/** Ana, who owns a sphere and says something there, and Ben, who is in it. */
export async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana, ben);
  const say = (text: string): EventId => ana.session.messages.say(id, text);
  return { world, ana, ben, id, say };
}

/** How often the room has what waits to be said. */
export function copiesInRoom({ world, ana, id }: Awaited<ReturnType<typeof two>>): number {
  const { archive } = world.server.room(ana.session.list.get(id).row.room);
  return archive.filter(({ stanza }) => stanza.getChild('body') !== undefined).length;
}
