import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createProfileFolders, locateProfile } from './profile.ts';
import { refuseProfile } from './refuse-profile.ts';

const home = realpathSync(mkdtempSync(path.join(tmpdir(), 'spherecast-own-')));
const profile = locateProfile(path.join(home, 'data', 'profile'));
createProfileFolders(profile);
mkdirSync(path.join(profile.spheresFolder, 'Family'), { recursive: true });
mkdirSync(path.join(home, 'data', 'profile-2'));
writeFileSync(path.join(profile.folder, 'secret.key'), 'key');
symlinkSync(profile.folder, path.join(home, 'innocent'));

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
