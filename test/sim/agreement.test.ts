import { expect, test } from 'vitest';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

const STEPS = 60;

/** One thing that happens to somebody, by chance. */
async function step(world: SimWorld, person: SimPerson, number: number): Promise<void> {
  const isOnline = person.isRunning && person.session.link.state.kind === 'online';
  const what = world.chance(10);
  if (!person.isRunning) await person.start();
  else if (what < 5) person.session.messages.say(person.session.sphere().id, `${person.name} ${number}`);
  else if (what < 6) await person.share(`${person.name} ${number}.mp4`);
  else if (what < 7) await person.stop();
  else if (!isOnline) await person.session.goOnline();
  else if (what < 9) person.session.link.goOffline();
  // Otherwise nothing happens, and what is under way goes on.
  if (world.chance(3) === 0) await world.pass(1000 * world.chance(100));
}

test('whatever happens to whom, in the end everybody has the same log, and every line once and in its order', async () => {
  const world = new SimWorld();
  const people = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const [ana] = people;
  if (ana === undefined) throw new Error('nobody is here');
  await world.sphere(ana, ...people.slice(1));
  world.server.answerHistory = (entries) =>
    entries.flatMap((entry) => (world.chance(4) === 0 ? [entry, entry] : [entry]));
  world.server.deliver = (message) => (world.chance(4) === 0 ? [message, message] : [message]);
  for (let number = 0; number < STEPS; number += 1) {
    const person = people[world.chance(people.length)];
    if (person !== undefined) await step(world, person, number);
  }
  for (const person of people) {
    if (!person.isRunning) await person.start();
    else if (person.session.link.state.kind !== 'online') await person.session.goOnline();
  }
  for (let minute = 0; minute < 5; minute += 1) await world.pass(60_000);
  for (const person of people) {
    const { session } = person;
    expect(session.eventIds()).toEqual(ana.session.eventIds());
    expect(session.storage.outbox.list('queued')).toEqual([]);
    expect(session.texts().toSorted()).toEqual(ana.session.texts().toSorted());
    expect(new Set(session.texts()).size).toBe(session.texts().length);
    for (const { name } of people) {
      const numbers = session.texts().flatMap((text) => (text.startsWith(name) ? [Number(text.split(' ')[1])] : []));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    expect(session.storage.items.listAll().length).toBe(ana.session.storage.items.listAll().length);
  }
}, 30_000);
