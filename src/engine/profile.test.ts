import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lockProfile } from './profile-lock.ts';
import {
  changeConfig,
  createProfileFolders,
  locateProfile,
  readConfig,
  readEngineFile,
  writeEngineFile,
} from './profile.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-profile-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test('spheres lie in the home folder, or in the profile when one was named', () => {
  expect(locateProfile(folder, '/home/ana')).toMatchObject({
    folder,
    spheresFolder: path.join(folder, 'spheres'),
    engineFile: path.join(folder, 'engine.json'),
    playlistsFolder: path.join(folder, 'playlists'),
    lockFile: path.join(folder, 'lock'),
  });
  expect(locateProfile(undefined, '/home/ana').spheresFolder).toBe(path.join('/home/ana', 'Spherecast'));
});

test.runIf(process.platform === 'linux')('on Linux the profile follows XDG_DATA_HOME unless that is relative', () => {
  vi.stubEnv('XDG_DATA_HOME', '/data');
  expect(locateProfile(undefined, '/home/ana').folder).toBe('/data/spherecast');
  vi.stubEnv('XDG_DATA_HOME', 'data');
  expect(locateProfile(undefined, '/home/ana').folder).toBe('/home/ana/.local/share/spherecast');
});

test('the engine file is believed only while the process that wrote it holds the lock', async () => {
  const profile = locateProfile(folder);
  createProfileFolders(profile);
  const content = { pid: process.pid, startedAt: 1, url: 'http://127.0.0.1:1', token: 'secret' };
  await writeEngineFile(profile, content);
  expect(statSync(profile.engineFile).mode & 0o777).toBe(0o600);
  expect(readEngineFile(profile)).toBeUndefined();
  using _lock = lockProfile(profile.lockFile);
  expect(readEngineFile(profile)).toEqual(content);
  await writeEngineFile(profile, { ...content, pid: process.pid + 1 });
  expect(readEngineFile(profile)).toBeUndefined();
});

test('settings survive a newer version’s fields, and a damaged file is as good as none', async () => {
  const profile = locateProfile(folder);
  expect(readConfig(profile)).toMatchObject({ port: 0, swarm: { addresses: [], mapPorts: true } });
  writeFileSync(profile.configFile, JSON.stringify({ future: 1, swarm: { addresses: ['127.0.0.2'] } }));
  await changeConfig(profile, (config) => ({ ...config, port: 4000 }));
  expect(JSON.parse(readFileSync(profile.configFile, 'utf8'))).toMatchObject({
    future: 1,
    port: 4000,
    swarm: { addresses: ['127.0.0.2'], mapPorts: true },
  });
  writeFileSync(profile.configFile, '{');
  expect(readConfig(profile).port).toBe(0);
  expect(readdirSync(folder)).toEqual(['config.json']);
});

test('folders are readable by their owner only', () => {
  const profile = locateProfile(path.join(folder, 'new', 'profile'));
  createProfileFolders(profile);
  for (const made of [profile.folder, profile.accountsFolder, profile.logsFolder]) {
    expect(statSync(made).mode & 0o777).toBe(0o700);
  }
  expect(existsSync(profile.engineFile)).toBe(false);
});

test('two settings changed at the same time are both kept', async () => {
  const profile = locateProfile(folder);
  await Promise.all([
    changeConfig(profile, (config) => ({ ...config, port: 4000 })),
    changeConfig(profile, (config) => ({ ...config, limits: { up: 1, down: 2 } })),
  ]);
  expect(readConfig(profile)).toMatchObject({ port: 4000, limits: { up: 1, down: 2 } });
});

// Mounting a small disk needs root on Linux.
test.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
  'a full disk is told as such by lock and settings, and no half-written file stays',
  async () => {
    const profile = locateProfile(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder]);
    try {
      createProfileFolders(profile);
      const filler = path.join(folder, 'filler');
      expect(() => writeFileSync(filler, Buffer.alloc(65_536))).toThrow('ENOSPC');
      expect(() => lockProfile(profile.lockFile)).toThrow(expect.objectContaining({ code: 'disk-full' }));
      await expect(changeConfig(profile, (config) => config)).rejects.toMatchObject({ code: 'disk-full' });
      expect(readdirSync(folder).toSorted()).toEqual(['accounts', 'filler', 'logs']);
      rmSync(filler);
      lockProfile(profile.lockFile)[Symbol.dispose]();
    } finally {
      execFileSync('umount', [folder]);
    }
  },
);
