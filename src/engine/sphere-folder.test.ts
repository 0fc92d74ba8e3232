import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeSphereFolder } from './sphere-folder.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'sphere-folder-'));
});
afterEach(() => rm(home, { recursive: true }));

test.skipIf(process.platform === 'win32')('others on this machine cannot look into a sphere folder', async () => {
  const spheres = path.join(home, 'Spherecast');
  const folder = await makeSphereFolder(spheres, 'Family');
  const modes = [(await stat(spheres)).mode, (await stat(folder)).mode];
  expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o700]);
});

test('a folder that is there already is never taken over', async () => {
  const first = await makeSphereFolder(home, 'Family');
  expect(await makeSphereFolder(home, 'Family')).toBe(`${first} (2)`);
});

test('the folder of another sphere that was deleted by hand is not made for a new one', async () => {
  const first = path.join(home, 'Family');
  expect(await makeSphereFolder(home, 'Family', (folder) => folder === first)).toBe(`${first} (2)`);
});

test('a name from elsewhere stays one folder inside the folder of spheres', async () => {
  expect(path.dirname(await makeSphereFolder(home, '../../etc'))).toBe(home);
});
