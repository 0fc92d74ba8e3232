import { appendFile, link, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { fetchBegun, sharedFilm } from '../../test/sim/received-item.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { silentLogger } from '../base/log.ts';
import { isUnfinishedName } from './folder-entries.ts';
import { FolderWatch } from './folder-watch.ts';
import { WatchSettings } from './watch-settings.ts';

/** Watches a person's sphere folders; `after` looks every three seconds. */
async function watching(person: SimPerson, isNew = false) {
  const clock = new VirtualClock(0);
  const { storage, list } = person.session;
  const sphere = person.session.sphere();
  const shared: string[] = [];
  const state = { refuses: false };
  const share = ({ paths }: { readonly paths: readonly string[] }) => {
    shared.push(...paths.map((path) => basename(path)));
    return state.refuses ? Promise.reject(new Error('not now')) : Promise.resolve([]);
  };
  const spawn = (_: string, task: (signal: AbortSignal) => Promise<void>) => void task(noSignal);
  let isStarting = isNew;
  const known = { all: () => (isStarting ? [] : list.all()) };
  const watch = new FolderWatch({ storage, list: known, shares: { share }, spawn, clock, log: silentLogger });
  isStarting = false;
  const after = async (seconds: number): Promise<string[]> => {
    for (let left = seconds; left > 0; left -= 3) {
      await clock.advance(3_000);
      for (const one of list.all()) await watch.look(one, noSignal);
    }
    return shared.splice(0);
  };
  return { watch, sphere, after, state, at: (name: string) => join(sphere.row.folder, name) };
}

async function ana(): Promise<SimPerson> {
  const world = new SimWorld();
  const person = await world.person('ana');
  await world.sphere(person);
  return person;
}

test('a file put into the folder is shared once, when nobody has written to it for some seconds', async () => {
  const { after, at } = await watching(await ana());
  expect(await after(3)).toEqual([]);
  await writeFile(at('film.mp4'), 'film');
  for (let part = 0; part < 4; part += 1) {
    expect(await after(6)).toEqual([]);
    await appendFile(at('film.mp4'), 'more');
  }
  expect(await after(12)).toEqual(['film.mp4']);
  expect(await after(60)).toEqual([]);
});

test('a sphere that is new has nothing of before: what is put there at once is shared', async () => {
  const { after, at } = await watching(await ana(), true);
  await writeFile(at('early.txt'), 'at once');
  expect(await after(15)).toEqual(['early.txt']);
});

test('a file is shared also where the folder’s name begins with that of another sphere’s folder', async () => {
  const person = await ana();
  const { row } = await person.session.members.create('Summer', noSignal);
  const { after, sphere } = await watching(person);
  await after(3);
  expect(row.folder).toBe(`${sphere.row.folder} (2)`);
  await writeFile(join(row.folder, 'film.mp4'), 'film');
  expect(await after(15)).toEqual(['film.mp4']);
});

test('a folder is shared when everything in it has come', async () => {
  const { after, at } = await watching(await ana());
  await after(3);
  await mkdir(at('album'));
  await writeFile(at('album/1.jpg'), '1');
  expect(await after(6)).toEqual([]);
  await writeFile(at('album/2.jpg.part'), '2');
  expect(await after(30)).toEqual([]);
  await rename(at('album/2.jpg.part'), at('album/2.jpg'));
  expect(await after(12)).toEqual(['album']);
});

test('what a program is still writing, links, empty files and what lay there before are left alone', async () => {
  const { after, at } = await watching(await ana());
  await writeFile(at('old.txt'), 'mine');
  await after(3);
  for (const name of ['a.mp4.part', 'b.crdownload', '~$letter.docx', '.hidden', 'Thumbs.db', 'c.mkv', 'c.mkv.part']) {
    await writeFile(at(name), 'x');
  }
  await writeFile(at('empty'), '');
  await symlink(at('old.txt'), at('link.txt'));
  expect(await after(60)).toEqual([]);
  await rm(at('c.mkv.part'));
  expect(await after(12)).toEqual(['c.mkv']);
  expect(['part of me.mp4', 'download.jpg', 'tilde~name'].filter(isUnfinishedName)).toEqual([]);
});

test('what comes from others is never shared again, whatever its name becomes', async () => {
  const film = await sharedFilm();
  const { after, at } = await watching(film.ben);
  await after(3);
  await fetchBegun(film);
  await writeFile(film.ben.session.items.row(film.itemId).path ?? '', 'half of it');
  expect(await after(60)).toEqual([]);
  await rename(film.ben.session.items.row(film.itemId).path ?? '', at('half.mp4'));
  await writeFile(at('half.mp4'), film.content.replaceAll('film', '\0\0\0\0'));
  expect(await after(60)).toEqual([]);
  const own = await watching(film.ana);
  await own.after(3);
  const { path } = film.ana.session.items.row(film.itemId);
  await rename(path ?? '', own.at('renamed.mp4'));
  expect(await own.after(60)).toEqual([]);
  expect(at('beach.mp4')).toBe(film.ben.session.items.row(film.itemId).path);
});

test('a folder full of items is compared with them read once, not once for each file', async () => {
  const film = await sharedFilm();
  const { after, at } = await watching(film.ana, true);
  const { path } = film.ana.session.items.row(film.itemId);
  for (const number of [1, 2, 3, 4, 5]) await link(path ?? '', at(`${number}.mp4`));
  const reads = vi.spyOn(film.ana.session.storage.items, 'list');
  expect(await after(60)).toEqual([]);
  expect(reads).toHaveBeenCalledTimes(1);
});

test('switched off nothing is shared, and later nothing that came meanwhile', async () => {
  const { watch, sphere, after, at } = await watching(await ana());
  await after(3);
  await watch.setOn(sphere, false);
  await writeFile(at('secret.txt'), 'not yet');
  expect(await after(30)).toEqual([]);
  expect(watch.isOn(sphere)).toBe(false);
  await watch.setOn(sphere, true);
  await writeFile(at('open.txt'), 'for all');
  expect(await after(30)).toEqual(['open.txt']);
});

test('what cannot be shared is tried again only when it has changed', async () => {
  const { after, at, state } = await watching(await ana());
  await after(3);
  state.refuses = true;
  await writeFile(at('a.txt'), '1');
  expect(await after(60)).toEqual(['a.txt']);
  state.refuses = false;
  await appendFile(at('a.txt'), '2');
  expect(await after(60)).toEqual(['a.txt']);
});

test('what somebody kept to themselves while they only looked is not shared when they may share', async () => {
  const world = new SimWorld();
  const [owner, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(owner, ben);
  const { id } = owner.session.sphere();
  owner.session.members.setRole(id, ben.jid, 'viewer');
  await world.quiet();
  const { after, sphere, at } = await watching(ben, true);
  await after(3);
  await writeFile(at('mine.jpg'), 'mine alone');
  new WatchSettings(ben.session).leave(sphere, at('mine.jpg'));
  expect(await after(30)).toEqual([]);
  owner.session.members.setRole(id, ben.jid, 'member');
  await world.quiet();
  await writeFile(at('new.jpg'), 'new');
  expect(await after(30)).toEqual(['new.jpg']);
});
