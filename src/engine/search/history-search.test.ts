import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { VirtualClock } from '../../../test/fixtures/virtual-clock.ts';
import type { SimPerson } from '../../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../../test/sim/sim-world.ts';
import { silentLogger } from '../../base/log.ts';
import type { EventId } from '../../base/id.ts';
import { parseBareJid } from '../../base/id.ts';
import { Scope } from '../../base/scope.ts';
import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/system-clock.ts';
import { foundLineSchema } from '../../contract/search.ts';
import { HistorySearch } from './history-search.ts';

/** Virtual time stands still where nobody moves it: the reading goes by the real one. */
const quickClock = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 5), signal),
};

function searchOf({ session }: SimPerson, clock: Clock = quickClock) {
  const { storage, list, items, people, own, names } = session;
  const scope = new Scope({ log: silentLogger });
  const spawn = scope.spawn.bind(scope);
  const search = new HistorySearch({ storage, list, items, people, own, names, spawn, clock, log: silentLogger });
  onTestFinished(async () => {
    await scope[Symbol.asyncDispose]();
    search[Symbol.dispose]();
  });
  const find = (words: string): string[] =>
    search.find({ words, limit: 50 }).lines.map((line) => foundLineSchema.parse(line).text);
  const read = async (): Promise<void> => {
    for (let waited = 0; !search.find({ words: '', limit: 1 }).isWhole; waited += 1) {
      if (waited > 2000) throw new Error('the lines are not read');
      await sleep(5);
    }
  };
  return { search, find, read };
}

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  return { world, ana, ben, sphere };
}

test('what was said and shared before is found after the start, and what comes at once', async () => {
  const { world, ana, ben, sphere } = await two();
  ana.session.messages.say(sphere.id, 'The café by the lake');
  await ana.share('Lakeside.mp4');
  await world.quiet();
  const { search, find, read } = searchOf(ben);
  await read();
  expect(find('lake')).toEqual(['Lakeside.mp4', 'The café by the lake']);
  ben.session.messages.say(ben.session.sphere().id, 'To the lake!');
  expect(find('LAKE')[0]).toBe('To the lake!');
  const [line] = search.find({ words: 'cafe', limit: 5 }).lines;
  expect(line).toMatchObject({
    ...{ sphereId: sphere.id, place: { kind: 'sphere', name: 'Summer' }, itemId: null, mine: false },
    ...{ from: ana.jid, fromName: 'Ana', marks: [{ from: 4, to: 8 }] },
  });
  expect(search.find({ words: 'lakes', limit: 5 }).lines[0]?.itemId).toEqual(expect.any(String));
});

test('a changed line is found by its new words, and a retracted one never again', async () => {
  const { world, ana, ben, sphere } = await two();
  const first = ana.session.messages.say(sphere.id, 'a secret surprise');
  const second = ana.session.messages.say(sphere.id, 'meet on monday');
  await world.quiet();
  const { find, read } = searchOf(ben);
  await read();
  expect([find('surprise'), find('monday')]).toEqual([['a secret surprise'], ['meet on monday']]);
  ana.session.messages.retract(sphere.id, first, false);
  ana.session.messages.edit(sphere.id, second, 'meet on tuesday');
  await world.quiet();
  expect([find('surprise'), find('monday'), find('tuesday')]).toEqual([[], [], ['meet on tuesday']]);
  const again = searchOf(ben);
  await again.read();
  expect(again.find('surprise')).toEqual([]);
});

test('talks are found, but not those with people who are blocked or wait for an answer', async () => {
  const { ben } = await two();
  const { people, storage } = ben.session;
  const zoe = parseBareJid('zoe@home.sim');
  const stranger = parseBareJid('stranger@home.sim');
  const { find, read } = searchOf(ben);
  people.talk.say(zoe, 'shall we bring apricots?');
  const said = {
    room: null,
    from: stranger,
    peer: stranger,
    id: 'm1',
    archiveId: null,
    omemo: null,
    sealed: null,
    body: null,
  };
  const line = { text: 'cheap apricots', state: 'received', encrypted: true, identityKey: null } as const;
  people.talk.keep({ ...said, atMs: 5 }, line)();
  await read();
  expect(find('apricot')).toEqual(['shall we bring apricots?']);
  storage.blocked.add(zoe);
  expect(find('apricot')).toEqual([]);
});

test('a sphere that was left is searched no more', async () => {
  const { world, ana, ben, sphere } = await two();
  ana.session.messages.say(sphere.id, 'only for members');
  await world.quiet();
  const { find, read } = searchOf(ben);
  await read();
  expect(find('members')).toEqual(['only for members']);
  await ben.session.members.leave(sphere.id, noSignal);
  await world.quiet();
  expect(find('members')).toEqual([]);
});

test('an item that was taken off the list is not offered', async () => {
  const { world, ana, ben } = await two();
  const itemId = await ana.share('Regatta.mp4');
  await world.quiet();
  const { find, read } = searchOf(ben);
  await read();
  expect(find('regatta')).toEqual(['Regatta.mp4']);
  ben.session.storage.items.update(itemId, { removedAtMs: 1 });
  expect(find('regatta')).toEqual([]);
});

/** Shares a folder of files that are called so. */
async function shareFolder(person: SimPerson, name: string, files: readonly string[]) {
  const folder = join(person.folder.folder, name);
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), file);
  }
  const { shares } = person.session;
  const input = { sphereId: person.session.sphere().id, paths: [folder], plain: false };
  const [itemId] = await shares.share(input, noSignal);
  if (itemId === undefined) throw new Error('nothing was shared');
  return itemId;
}

test('a folder is found by the files in it, and a comment on an item like every line', async () => {
  const { world, ana, ben, sphere } = await two();
  const itemId = await shareFolder(ana, 'Holidays', ['first day/Harbour.jpg', 'Sunset.jpg', 'Über den Dächern.mp4']);
  ana.session.messages.say(sphere.id, 'what a pelican!', { replyTo: itemId as string as EventId });
  await world.quiet();
  const { search, find, read } = searchOf(ben);
  await read();
  expect(find('sunset')).toEqual(['Holidays › Sunset.jpg']);
  expect(find('holiday uber')).toEqual(['Holidays › Über den Dächern.mp4']);
  expect(find('harbour sunset')).toEqual(['Holidays › Sunset.jpg › first day/Harbour.jpg']);
  expect(find('holiday')).toEqual(['Holidays']);
  expect([find('sunset mountain'), find('pelican')]).toEqual([[], ['what a pelican!']]);
  expect(search.find({ words: 'harbour', limit: 5 }).lines[0]).toMatchObject({ itemId, marks: [{ from: 21, to: 28 }] });
});

test('a folder whose list of files comes later is found by them from then on, the first two thousand of them', async () => {
  const { world, ana, ben } = await two();
  const many = Array.from({ length: 2_010 }, (_, index) => `kite${String(index).padStart(4, '0')}.jpg`);
  const itemId = await shareFolder(ana, 'Many', many);
  await world.quiet();
  const { find, read } = searchOf(ben);
  await read();
  expect([find('many'), find('kite0007')]).toEqual([['Many'], []]);
  const eventId = itemId as string as EventId;
  const bytes = ana.session.storage.attachments.get(eventId, 'manifest') ?? new Uint8Array();
  ben.session.storage.attachments.put({ eventId, kind: 'manifest', bytes });
  ben.session.items.onItem.emit(itemId);
  expect([find('kite0007'), find('kite1999'), find('kite2005')]).toEqual([
    ['Many › kite0007.jpg'],
    ['Many › kite1999.jpg'],
    [],
  ]);
});

test('what streams in is read for the search when it pauses, or after a minute', async () => {
  const { ana } = await two();
  const { session } = ana;
  const clock = new VirtualClock(0);
  const { search } = searchOf(ana, clock);
  const isWhole = (): boolean => search.find({ words: '', limit: 1 }).isWhole;
  let number = 0;
  const streamIn = (count: number): void => {
    const ids = Array.from({ length: count }, () => (number += 1).toString(16).padStart(64, '0') as EventId);
    const gone = ids.map((id) => ({ kind: 'message-gone' as const, id }));
    session.list.announce(session.sphere(), gone);
  };
  await clock.advance(2_000);
  expect(isWhole()).toBe(true);
  // More than a search brings up to date by itself.
  streamIn(1_000);
  await clock.advance(400);
  expect(isWhole()).toBe(false);
  await clock.advance(1_000);
  expect(isWhole()).toBe(true);
  for (let passedMs = 0; passedMs < 62_000; passedMs += 400) {
    streamIn(20);
    await clock.advance(400);
  }
  expect(isWhole()).toBe(true);
});

test('of a folder whose files have the longest names only the first are found, so that its words hold nobody up', async () => {
  const { world, ana } = await two();
  const long = 'x'.repeat(120);
  const many = Array.from({ length: 850 }, (_, index) => `kite${String(index).padStart(4, '0')} ${long} ${long}.jpg`);
  await shareFolder(ana, 'Many', many);
  await world.quiet();
  const { find, read } = searchOf(ana);
  await read();
  expect([find('kite0700').length, find('kite0840').length]).toEqual([1, 0]);
});

test('many folders that come at once hold up neither a search nor anybody else: the rest is read after it', async () => {
  const { world, ana, ben, sphere } = await two();
  let nowMs = 0;
  const { search, find, read } = searchOf(ben, { ...quickClock, monotonic: () => (nowMs += 40) });
  await read();
  for (let number = 0; number < 10; number += 1) ana.session.messages.say(sphere.id, `pelican ${number}`);
  await world.until(() => ben.session.texts().length === 10);
  await read();
  const changes = ben.session.storage.messages
    .newest(sphere.id, 10)
    .map(({ id }) => ({ kind: 'message' as const, id }));
  ben.session.list.onChange.emit({ sphere: ben.session.sphere(), changes });
  expect(search.find({ words: 'pelican', limit: 50 })).toMatchObject({ isWhole: false });
  await read();
  expect(find('pelican').length).toBe(10);
});
