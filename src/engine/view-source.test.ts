import { expect, test } from 'vitest';
import { itemBody } from '../../test/fixtures/protocol/sphere-world.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { silentLogger } from '../base/log.ts';
import type { AppEvent } from '../contract/views.ts';
import { appEventSchema, snapshotSchema } from '../contract/views.ts';
import { ViewSource } from './view-source.ts';

function follow(world: SimWorld, { session }: SimPerson) {
  const views = new ViewSource({ feed: session.feed, clock: world.clock, log: silentLogger });
  const events: AppEvent[] = [];
  views.onEvent.on((event) => events.push(event));
  return { views, events, stop: views.follow(session.shown) };
}

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  return { world, ana, ben, sphere };
}

test('the snapshot shows everything there is, and every change is told in the contract’s form', async () => {
  const { world, ana, ben, sphere } = await two();
  const { views, events } = follow(world, ben);
  const itemId = await ana.share('beach.mp4');
  ana.session.messages.say(sphere.id, 'look at this');
  await world.quiet();
  const snapshot = snapshotSchema.parse({ ...views.snapshot(), seq: 0, version: '0' });
  expect(snapshot.account).toMatchObject({ jid: ben.jid, state: 'online', error: null });
  expect(snapshot.spheres).toMatchObject([
    { name: 'Summer', state: 'joined', myRole: 'member', itemCount: 1, unread: 2 },
  ]);
  expect(snapshot.spheres[0]?.members).toMatchObject([
    { jid: ana.jid, name: 'Ana', role: 'owner', state: 'joined', online: true, isMe: false, devices: 1 },
    { jid: ben.jid, name: 'Ben', role: 'member', state: 'joined', online: true, isMe: true, devices: 1 },
  ]);
  expect(snapshot.items).toMatchObject([
    { id: itemId, name: 'beach.mp4', state: 'listed', fromName: 'Ana', copies: 1 },
  ]);
  for (const event of events) expect(appEventSchema.safeParse(event).success).toBe(true);
  expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(['account', 'sphere', 'message', 'item']));
});

test('what is unread is what came since, whatever the authors’ clocks say', async () => {
  const { world, ana, ben, sphere } = await two();
  const { views } = follow(world, ben);
  const theirs = ben.session.sphere();
  const unread = (): number => views.sphere(theirs).unread;
  const markRead = (): void => {
    ben.session.reading.markRead(theirs.id, 'all');
  };
  expect(unread()).toBe(0);
  const id = ana.session.messages.say(sphere.id, 'from a clock that is years ahead');
  await world.quiet();
  ben.session.storage.messages.update(id, { atMs: Number.MAX_SAFE_INTEGER });
  expect(unread()).toBe(1);
  markRead();
  expect(unread()).toBe(0);
  ben.session.messages.say(theirs.id, 'mine is read');
  ana.session.messages.say(sphere.id, 'later');
  await world.quiet();
  expect(unread()).toBe(1);
});

test('what was said before somebody joined is not unread to them', async () => {
  const { world, ana, sphere } = await two();
  ana.session.messages.say(sphere.id, 'old news');
  const zoe = await world.person('zoe');
  await world.bringIn(ana, zoe);
  const { views } = follow(world, zoe);
  expect(zoe.session.texts()).toEqual(['old news']);
  expect(views.sphere(zoe.session.sphere()).unread).toBe(0);
  ana.session.messages.say(sphere.id, 'welcome');
  await world.quiet();
  expect(views.sphere(zoe.session.sphere()).unread).toBe(1);
});

test('a sphere is offline without its room and joining without its key', async () => {
  const { world, ana, ben } = await two();
  const { views } = follow(world, ben);
  const sphere = ben.session.sphere();
  ben.session.link.goOffline();
  expect(views.sphere(sphere).state).toBe('offline');
  expect(views.account()).toMatchObject({ state: 'offline', error: { code: 'disconnected' } });
  ben.session.storage.transaction(() => ben.session.storage.epochs.remove(sphere.id, sphere.epochs[0]?.eventId ?? ''));
  sphere.readEpochs();
  expect(views.sphere(sphere).state).toBe('joining');
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
});

test('whom only the server lets in waits for approval and gets nothing, until somebody with authority invites them', async () => {
  const { world, ana, ben, sphere } = await two();
  const zoe = await world.person('zoe');
  const { room } = sphere.row;
  world.server.setAffiliation(room, zoe.jid, 'member');
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  const { views, events } = follow(world, ana);
  expect(views.sphere(sphere).members).toMatchObject([
    { jid: ana.jid, state: 'joined' },
    { jid: ben.jid, state: 'joined' },
    {
      jid: zoe.jid,
      name: 'Zoe',
      person: null,
      role: 'member',
      devices: 0,
      state: 'waiting',
      online: false,
      isMe: false,
    },
  ]);
  const seen = await zoe.session.rooms.join(room, noSignal).then(() => zoe.session.rooms.isInside(room));
  expect(seen).toBe(true);
  await ana.share('secret.mp4');
  ana.session.messages.say(sphere.id, 'not for zoe');
  await world.quiet();
  expect(zoe.session.list.all()).toEqual([]);
  expect(appEventSchema.safeParse(events.findLast(({ kind }) => kind === 'sphere')).success).toBe(true);
  await world.bringIn(ana, zoe);
  expect(views.sphere(sphere).members.map(({ jid, state }) => [jid, state])).toEqual([
    [ana.jid, 'joined'],
    [ben.jid, 'joined'],
    [zoe.jid, 'joined'],
  ]);
});

test('whom only the server lets in can be shown the door, and nothing is written into the log about them', async () => {
  const { world, ana, sphere } = await two();
  const zoe = await world.person('zoe');
  world.server.setAffiliation(sphere.row.room, zoe.jid, 'member');
  await ana.session.caretaker.tidyRoom(sphere, noSignal);
  const before = ana.session.eventIds();
  await ana.session.members.remove(sphere.id, zoe.jid, noSignal);
  expect(world.server.room(sphere.row.room).affiliations.has(zoe.jid)).toBe(false);
  expect(
    follow(world, ana)
      .views.sphere(sphere)
      .members.map(({ jid }) => jid),
  ).not.toContain(zoe.jid);
  expect(ana.session.eventIds()).toEqual(before);
});

test('a sphere whose room the server closes to us says so, and is joined again when it opens', async () => {
  const { world, ana, ben, sphere } = await two();
  const { views, events } = follow(world, ben);
  ana.session.caretaker.tidyRoom = () => Promise.resolve();
  world.server.setAffiliation(sphere.row.room, ben.jid, 'none');
  await world.quiet();
  expect(views.sphere(ben.session.sphere()).state).toBe('refused');
  expect(events.findLast(({ kind }) => kind === 'sphere')).toMatchObject({ sphere: { state: 'refused' } });
  world.server.setAffiliation(sphere.row.room, ben.jid, 'member');
  await ana.session.rooms.invite(sphere.row.room, ben.jid);
  await world.quiet();
  expect(views.sphere(ben.session.sphere()).state).toBe('joined');
});

test('paused is what the items say, over restarts too', async () => {
  const { world, ana } = await two();
  await ana.share('beach.mp4');
  const { views, events } = follow(world, ana);
  expect(views.swarm().paused).toBe(false);
  await ana.session.items.pauseAll(true, noSignal);
  expect(views.swarm().paused).toBe(true);
  expect(events.findLast(({ kind }) => kind === 'swarm')).toMatchObject({ swarm: { paused: true } });
  await ana.stop();
  await ana.start();
  await world.quiet();
  expect(follow(world, ana).views.swarm().paused).toBe(true);
});

test('the swarm is starting, running and restarting, with its figures', async () => {
  const { world, ana } = await two();
  const { views, events } = follow(world, ana);
  ana.session.swarm.emit({ kind: 'totals', downBps: 5, upBps: 6, peers: 2, port: 40_000 });
  const candidates = { endpoints: [], trackers: [], mapped: '192.0.2.1:40000', webrtc: false };
  ana.session.swarm.emit({ kind: 'candidates', ...candidates });
  await world.quiet();
  const running = { state: 'running', downBps: 5, upBps: 6, peers: 2, port: 40_000, mapped: '192.0.2.1:40000' };
  expect(views.swarm()).toMatchObject(running);
  expect(events.filter(({ kind }) => kind === 'swarm')).toHaveLength(2);
  ana.session.swarm.die();
  await world.quiet();
  expect(views.swarm()).toMatchObject({ state: 'restarting', port: 0 });
});

test('signing out takes everything off the screen', async () => {
  const { world, ana, ben, sphere } = await two();
  const { views, events, stop } = follow(world, ben);
  const zoe = await world.sphere(await world.person('zoe'));
  expect(zoe.id).not.toBe(sphere.id);
  stop();
  expect(events.slice(-2)).toEqual([
    { kind: 'sphere-removed', sphereId: sphere.id },
    { kind: 'account', account: null },
  ]);
  expect(views.snapshot()).toMatchObject({ account: null, spheres: [], items: [], jobs: [], invitations: [] });
  const told = events.length;
  ana.session.messages.say(sphere.id, 'unheard');
  await world.quiet();
  expect(events).toHaveLength(told);
});

test('a sphere in which many lines come at once is shown anew a few times, and in the end as it is', async () => {
  const { world, ana, ben, sphere } = await two();
  await world.pass(5_000);
  const { events } = follow(world, ben);
  for (let number = 0; number < 60; number += 1) ana.session.messages.say(sphere.id, `line ${number}`);
  await world.pass(5_000);
  await world.quiet();
  // What came last is shown a moment later.
  await world.pass(1_000);
  const shown = events.flatMap((event) => (event.kind === 'sphere' ? [event.sphere.unread] : []));
  expect(events.filter(({ kind }) => kind === 'message').length).toBeGreaterThanOrEqual(60);
  expect(shown.length).toBeLessThan(30);
  expect(shown.at(-1)).toBe(60);
});

test('a sphere in which many things come at once is shown anew a few times, and in the end as it is', async () => {
  const { world, ana, ben } = await two();
  await world.pass(5_000);
  const { events } = follow(world, ben);
  const sphere = ana.session.sphere();
  const { eventId } = sphere.currentEpoch;
  for (let number = 0; number < 60; number += 1) {
    const dispatch = { audience: { kind: 'members' }, line: 'a film' } as const;
    ana.session.list.publish(sphere, 'item', itemBody(`film ${number}`, eventId), dispatch);
  }
  await world.pass(5_000);
  await world.pass(1_000);
  const shown = events.flatMap((event) => (event.kind === 'sphere' ? [event.sphere.itemCount] : []));
  expect(events.filter(({ kind }) => kind === 'item').length).toBeGreaterThanOrEqual(60);
  expect(shown.length).toBeLessThan(30);
  expect(shown.at(-1)).toBe(60);
});

test('a member who is put on the list under a name, and who is taken off it, goes by the right name at once', async () => {
  const { world, ana, ben, sphere } = await two();
  const { events } = follow(world, ana);
  const { contacts } = ana.session.people;
  ben.session.messages.say(ben.session.sphere().id, 'hello');
  await world.quiet();
  const shown = () => [
    events.findLast((event) => event.kind === 'sphere')?.sphere.members.find(({ jid }) => jid === ben.jid)?.name,
    events.findLast((event) => event.kind === 'message')?.message.fromName,
  ];
  contacts.meet(ben.jid, true);
  ana.session.storage.contacts.update(ben.jid, { standing: 'contact', name: 'Papa' });
  contacts.onChange.emit(ben.jid);
  expect(shown()).toEqual(['Papa', 'Papa']);
  ana.session.storage.contacts.remove(ben.jid);
  contacts.onChange.emit(ben.jid);
  expect(shown()).toEqual(['Ben', 'Ben']);
  expect(sphere.state.members.size).toBe(2);
});

test('whoever is imitated is shown with the address at once, as the other one is, and no longer than that', async () => {
  const { world, ana, ben } = await two();
  const eve = await world.person('eve');
  const { contacts } = ana.session.people;
  for (const { jid } of [ben, eve]) {
    contacts.meet(jid, true);
    ana.session.storage.contacts.update(jid, { standing: 'contact' });
    contacts.onChange.emit(jid);
  }
  const { events } = follow(world, ana);
  const call = (nick: string | null): void => {
    ana.session.storage.contacts.update(eve.jid, { nick });
    contacts.onChange.emit(eve.jid);
  };
  const nameOfBen = () =>
    [
      events.findLast((event) => event.kind === 'contact' && event.contact.jid === ben.jid),
      events.findLast((event) => event.kind === 'sphere'),
    ].map((event) => {
      if (event?.kind === 'contact') return event.contact.name;
      return event?.kind === 'sphere' ? event.sphere.members.find(({ jid }) => jid === ben.jid)?.name : undefined;
    });
  call('Ben');
  expect(nameOfBen()).toEqual([`Ben (${ben.jid})`, `Ben (${ben.jid})`]);
  call(null);
  expect(nameOfBen()).toEqual(['Ben', 'Ben']);
});

test('pictures of people are shown to whoever signs in again at the same page, and to nobody after signing out', async () => {
  const { world, ana, ben } = await two();
  ana.session.storage.portraits.put({ jid: ben.jid, id: 'a'.repeat(40), image: Uint8Array.of(1) });
  const { events, stop } = follow(world, ana);
  const pictures = () => events.flatMap((event) => (event.kind === 'picture' ? [event.url] : []));
  expect(pictures()).toEqual([`/preview/portrait-${'a'.repeat(40)}`]);
  stop();
  expect(pictures().at(-1)).toBeNull();
});
