import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { BareJid } from '../../src/base/id.ts';
import { parseBareJid } from '../../src/base/id.ts';
import { followNotices } from '../../src/engine/notices.ts';
import { peopleCalls } from '../../src/engine/people-calls.ts';
import { readEphemeral } from '../../src/xmpp/sealed.ts';
import { makeDevice, plantDevice } from './plant-device.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;

interface Told {
  readonly code: string;
  readonly params: Readonly<Record<string, string>>;
}

/** Ana has compared Ben's number, and is told what happens. */
async function compared() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana, ben);
  const told: Told[] = [];
  followNotices(ana.session as never, (notice) => told.push(notice), world.clock);
  const calls = peopleCalls({ holder: { session: ana.session }, clock: world.clock } as never);
  await calls.verify({ person: ben.session.sphere().person, jid: ben.jid, isSame: true }, noSignal);
  await world.pass(15 * MINUTE);
  return { world, ana, ben, id, told };
}
type Compared = Awaited<ReturnType<typeof compared>>;

async function plant(at: Compared, jid: BareJid): Promise<void> {
  await plantDevice(at.world, jid);
  await at.ana.session.directory.askDeviceIds(jid);
  await at.world.pass(3 * MINUTE);
}

async function swap(at: Compared, jid: BareJid): Promise<void> {
  const { directory } = at.ana.session;
  const account = at.world.server.account(jid);
  const [deviceId = 0] = account.deviceIds;
  const ask = () => directory.bundle({ jid, deviceId }).catch(() => undefined);
  await ask();
  account.bundles.set(deviceId, (await makeDevice(at.world, jid)).bundle());
  await ask();
}

async function changeRights({ world, ana, ben, id }: Compared): Promise<void> {
  const sphere = ana.session.list.get(id);
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  world.server.room(sphere.row.room).affiliations.set(ben.jid, 'none');
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  await world.pass(3 * MINUTE);
}

async function addStranger({ world, ana, id }: Compared): Promise<void> {
  const sphere = ana.session.list.get(id);
  world.server.room(sphere.row.room).affiliations.set(parseBareJid('mallory@rooms.sim'), 'member');
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  await world.pass(3 * MINUTE);
}

/** What Ben says in between comes to Ana neither live nor out of the archive. */
async function withhold({ world, ana, ben, id }: Compared): Promise<void> {
  const hidden = new Set<string | null>();
  const say = async (text: string, isHidden: boolean): Promise<void> => {
    world.server.deliver = (message, to) => {
      if (!isHidden || readEphemeral(message.stanza) !== undefined) return [message];
      hidden.add(message.stanzaId);
      return to === ana.jid ? [] : [message];
    };
    ben.session.messages.say(id, text);
    await world.pass(5_000);
  };
  world.server.answerHistory = (entries) => entries.filter((entry) => !hidden.has(entry.id));
  for (const isHidden of [false, true, true, false]) await say('a line', isHidden);
  await world.pass(MINUTE);
  await world.pass(25 * MINUTE);
}

/** What a server does, and what Ana reads. */
const ATTEMPTS: readonly (readonly [string, (at: Compared) => Promise<void>, en: string, fr: string])[] = [
  [
    'puts a device into the list of somebody compared',
    (at) => plant(at, at.ben.jid),
    'At the account of Ben is a device that nobody vouched for',
    'Sur le compte de Ben se trouve un appareil dont personne ne répond',
  ],
  [
    'puts a device into our own list',
    (at) => plant(at, at.ana.jid),
    'Another program is at your account',
    'Un autre programme est sur votre compte',
  ],
  [
    'exchanges the key of somebody’s device',
    (at) => swap(at, at.ben.jid),
    'The key of a device of Ben was exchanged',
    'La clé d’un appareil de Ben a été échangée',
  ],
  [
    'exchanges the key of a device of ours',
    (at) => swap(at, at.ana.jid),
    'The key of a program at your account was exchanged',
    'La clé d’un programme sur votre compte a été échangée',
  ],
  [
    'takes a member’s rights in a room away',
    changeRights,
    'The rights of Ben in “Summer” were changed at the server',
    'Les droits de Ben dans « Summer » ont été changés au serveur',
  ],
  [
    'lets somebody into a room whom nobody invited',
    addStranger,
    'The chat room of “Summer” lets in Mallory',
    'Le salon de « Summer » laisse entrer Mallory',
  ],
  [
    'keeps messages back that members then give',
    withhold,
    'The chat server rooms.sim did not pass on 2 messages in “Summer”',
    'Le serveur rooms.sim n’a pas transmis 2 messages dans « Summer »',
  ],
];

function sentence(language: 'en' | 'fr', { code, params }: Told, part: 'title' | 'text'): string {
  const file = new URL(`../../src/ui/i18n/${language}.json`, import.meta.url);
  const notices = (JSON.parse(readFileSync(file, 'utf8')) as { notice: Record<string, Record<string, string>> }).notice;
  return (notices[code]?.[part] ?? '').replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? `{${name}}`);
}

test.each(ATTEMPTS)(
  'a server that %s is told of in plain words, in both languages, once a day',
  async (_, attempt, en, fr) => {
    const at = await compared();
    await attempt(at);
    await attempt(at);
    expect(at.told).toHaveLength(1);
    const [told] = at.told;
    if (told === undefined) throw new Error('nothing was told');
    expect([sentence('en', told, 'title'), sentence('fr', told, 'title')]).toEqual([en, fr]);
    for (const language of ['en', 'fr'] as const) {
      const whole = `${sentence(language, told, 'title')} ${sentence(language, told, 'text')}`;
      expect(whole).toContain(told.params['server']);
      expect(sentence(language, told, 'text')).not.toContain('{');
    }
  },
);

test('whom a member may have invited of whom nobody is there to tell is not said to be added by a server', async () => {
  const at = await compared();
  for (const person of [at.ben, at.ana]) await person.stop();
  await at.ana.start();
  const told: Told[] = [];
  followNotices(at.ana.session as never, (notice) => told.push(notice), at.world.clock);
  await addStranger(at);
  await at.world.pass(10 * MINUTE);
  expect(told).toEqual([]);
  await at.ben.start();
  await at.world.pass(10 * MINUTE);
  expect(told.map(({ code }) => code)).toEqual(['people-added']);
});

test('somebody invited a moment ago was not added by a server', async () => {
  const { world, ana, ben, id, told } = await compared();
  const { session } = await world.person('cleo');
  await ana.session.members.invite(id, session.own, noSignal);
  await ben.session.caretaker.tidyRoom(ben.session.list.get(id), noSignal);
  await world.pass(3 * MINUTE);
  expect(ben.session.rooms.listed(ben.session.sphere().row.room)).toContain(session.own);
  expect(told).toEqual([]);
});

test('rights that another organiser changed a moment ago are no attempt of a server', async () => {
  const { world, ana, ben, id, told } = await compared();
  const sphere = ana.session.list.get(id);
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  ana.session.members.setRole(id, ben.jid, 'admin');
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  await world.pass(3 * MINUTE);
  // By the time it is told the sphere says the same as the server.
  world.server.room(sphere.row.room).affiliations.set(ben.jid, 'member');
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  ana.session.members.setRole(id, ben.jid, 'member');
  await world.pass(3 * MINUTE);
  expect(told).toEqual([]);
});

test('a new computer of somebody compared is told once, and none of somebody who is not', async () => {
  const { world, ana, ben, id, told } = await compared();
  const eve = await world.person('eve');
  await ana.session.members.invite(id, eve.jid, noSignal);
  await world.quiet();
  await world.accept(eve);
  await world.pass(15 * MINUTE);
  const isHere = (of: { session: { identity: { device: { id: string } } } }): boolean =>
    [...ana.session.sphere().state.devices.keys()].some((device) => device === of.session.identity.device.id);
  for (const person of [ben, eve]) {
    const laptop = await world.another(person);
    await world.until(() => isHere(laptop));
  }
  await world.pass(MINUTE);
  expect(told.filter(({ code }) => code === 'member-device')).toEqual([
    { code: 'member-device', params: { person: 'Ben' } },
  ]);
});

test('whoever certifies computers without end is not told of without end', async () => {
  const { world, ana, ben, told } = await compared();
  for (let count = 0; count < 6; count += 1) {
    const { device } = (await world.another(ben)).session.identity;
    await world.until(() => ana.session.sphere().state.devices.has(device.id));
  }
  await world.pass(MINUTE);
  expect(told.filter(({ code }) => code === 'member-device')).toHaveLength(4);
});

test('computers that a new computer of ours hears of with the past are no news', async () => {
  const { world, ana, ben } = await compared();
  await world.another(ben);
  await world.pass(15 * MINUTE);
  const laptop = await world.another(ana);
  const told: Told[] = [];
  followNotices(laptop.session as never, (notice) => told.push(notice), world.clock);
  await world.until(() => laptop.session.list.all().length > 0 && laptop.session.sphere().state.devices.size === 4);
  await world.pass(MINUTE);
  expect(told.filter(({ code }) => code === 'member-device')).toEqual([]);
});
