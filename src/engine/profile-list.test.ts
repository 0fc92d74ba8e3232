import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { systemRandom } from '../base/random.ts';
import { locateProfile, withChosenPlaces } from './profile.ts';
import { ProfileList } from './profile-list.ts';

function computer() {
  const home = mkdtempSync(path.join(tmpdir(), 'spherecast-home-'));
  vi.stubEnv('XDG_DATA_HOME', path.join(home, 'data'));
  vi.stubEnv('LOCALAPPDATA', path.join(home, 'data'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true, force: true });
  });
  const clock = new VirtualClock(1_000);
  const list = new ProfileList({ clock, random: systemRandom, home });
  const people = `${locateProfile(undefined, home).folder}-people`;
  return { home, clock, list, people };
}

test('at first there is one person, whose place is the usual one', () => {
  const { home, list, people } = computer();
  const { folder } = locateProfile(undefined, home);
  expect(list.all()).toEqual([{ id: 'first', name: '', account: null, folder, isListed: true, isRunning: false }]);
  expect([list.last?.id, list.startsWithLast, existsSync(people)]).toEqual(['first', false, false]);
});

test('each person has a folder of their own, and another one for spheres where people find it', async () => {
  const { home, list } = computer();
  const [anna, ben] = [await list.add('Anna'), await list.add('Anna')];
  expect(anna.folder).not.toBe(ben.folder);
  const places = [anna, ben].map(({ folder }) => withChosenPlaces(locateProfile(folder, home)).spheresFolder);
  expect(places).toEqual([path.join(home, 'Spherecast Anna'), path.join(home, 'Spherecast Anna')]);
  mkdirSync(places[0] ?? '');
  const clara = await list.add('Anna');
  expect(withChosenPlaces(locateProfile(clara.folder, home)).spheresFolder).toBe(
    path.join(home, 'Spherecast Anna (2)'),
  );
});

test('the place of the first person is the same, also when it is named', () => {
  const { home } = computer();
  const usual = locateProfile(undefined, home);
  expect(locateProfile(usual.folder, home)).toEqual(usual);
});

test('no name leads out of the folder of the people', async () => {
  const { list, people, home } = computer();
  for (const name of ['../../evil', '/etc/passwd', '..', 'a/b', 'C:\\x', '\u0000']) {
    const { id, folder } = await list.add(name);
    expect(folder).toBe(path.join(people, id));
    const { spheresFolder } = withChosenPlaces(locateProfile(folder, home));
    expect(path.dirname(spheresFolder)).toBe(home);
  }
  expect(() => list.find('../first')).toThrow('nobody of this name');
  await expect(list.setListed('..', false)).rejects.toMatchObject({ code: 'not-found' });
});

test('whoever is taken off the list keeps everything and can be put back', async () => {
  const { list } = computer();
  const { id, folder } = await list.add('Anna');
  writeFileSync(path.join(folder, 'precious'), 'x');
  await list.setListed(id, false);
  expect(list.find(id).isListed).toBe(false);
  expect(readdirSync(folder)).toContain('precious');
  await list.setListed(id, true);
  expect(list.find('Anna').isListed).toBe(true);
});

test('a list that is damaged loses nobody', async () => {
  const { list, people, clock } = computer();
  const { id } = await list.add('Anna');
  await clock.advance(1_000);
  const ben = await list.add('Ben');
  await list.noteUsed(ben.id);
  await list.setStartsWithLast(true);
  for (const content of ['{"hidden": [', '[]', '"x"', '{"hidden": 7, "lastUsed": {}, "startsWithLast": "no"}', '']) {
    writeFileSync(path.join(people, 'people.json'), content);
    expect(list.all().map(({ name, isListed }) => [name, isListed])).toEqual([
      ['', true],
      ['Anna', true],
      ['Ben', true],
    ]);
  }
  writeFileSync(path.join(people, id, 'person.json'), 'damaged');
  expect(
    list
      .all()
      .map((one) => one.id)
      .toSorted(),
  ).toEqual(['first', id, ben.id].toSorted());
});

test('the application begins with whoever used it last and is on the list', async () => {
  const { list, clock } = computer();
  await clock.advance(1_000);
  const { id } = await list.add('Anna');
  await list.noteUsed(id);
  expect(list.last?.id).toBe(id);
  await list.setListed(id, false);
  expect(list.last?.id).toBe('first');
});
