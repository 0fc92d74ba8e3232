import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createProfileFolders, locateProfile } from './profile.ts';
import { refuseInProfile, refuseProfile } from './refuse-profile.ts';

const home = realpathSync(mkdtempSync(path.join(tmpdir(), 'spherecast-own-')));
const profile = locateProfile(path.join(home, 'data', 'profile'));
createProfileFolders(profile);
mkdirSync(path.join(profile.spheresFolder, 'Family'), { recursive: true });
mkdirSync(path.join(home, 'data', 'profile-2'));
writeFileSync(path.join(profile.folder, 'secret.key'), 'key');
symlinkSync(profile.folder, path.join(home, 'innocent'));

beforeAll(() => {
  for (const name of ['XDG_DATA_HOME', 'LOCALAPPDATA']) vi.stubEnv(name, path.join(home, 'usual'));
});
afterAll(() => vi.unstubAllEnvs());
afterAll(() => rmSync(home, { recursive: true }));

test.each([
  ['the profile', profile.folder],
  ['a folder around it', home],
  ['a file of it', path.join(profile.folder, 'secret.key')],
  ['a folder of it', profile.accountsFolder],
  ['a link to it', path.join(home, 'innocent')],
  ['a way through a link', path.join(home, 'innocent', 'accounts')],
])('%s is never shared', async (_, shared) => {
  await expect(refuseProfile(profile, [shared])).rejects.toMatchObject({ code: 'not-allowed' });
});

test('what lies in a sphere, beside the profile or nowhere is not its business', async () => {
  const paths = [
    path.join(profile.spheresFolder, 'Family'),
    path.join(home, 'data', 'profile-2'),
    path.join(home, 'nothing'),
  ];
  await expect(refuseProfile(profile, paths)).resolves.toBeUndefined();
});

test('nor are the keys and messages of another person of this computer shared or mixed with a sphere', async () => {
  const usual = locateProfile();
  const other = path.join(`${usual.folder}-people`, '0011223344556677');
  for (const secret of [usual.folder, other, path.join(other, 'accounts'), path.dirname(usual.folder)]) {
    await expect(refuseProfile(profile, [secret])).rejects.toMatchObject({ code: 'not-allowed' });
  }
  await expect(refuseInProfile(profile, other)).rejects.toMatchObject({ code: 'not-allowed' });
  await expect(refuseInProfile(profile, path.dirname(usual.folder))).resolves.toBeUndefined();
});
