import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openElsewhere } from './open-elsewhere.ts';

const ADDRESS = 'http://127.0.0.1:4000/media/0123/Beach.mkv';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-elsewhere-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function opened(name: string, type: string, isWhole: boolean): Promise<string[]> {
  const targets: string[] = [];
  const file = { key: 'item-0', path: path.join(folder, name), type, isWhole, address: ADDRESS };
  const open = async (target: string): Promise<void> => void targets.push(target);
  await openElsewhere(file, { playlistsFolder: path.join(folder, 'playlists'), open });
  return targets;
}

test('a whole film is opened as the file it is', async () => {
  writeFileSync(path.join(folder, 'Beach.mkv'), 'film');
  expect(await opened('Beach.mkv', 'video/x-matroska', true)).toEqual([path.join(folder, 'Beach.mkv')]);
});

test('a film that is still arriving is opened by a player, not by the browser, and nobody else reads its address', async () => {
  const [playlist = '', ...more] = await opened('Beach.mkv', 'video/x-matroska', false);
  expect([path.extname(playlist), more]).toEqual(['.m3u', []]);
  expect(readFileSync(playlist, 'utf8')).toBe(`#EXTM3U\n#EXTINF:-1,Beach.mkv\n${ADDRESS}\n`);
  expect(statSync(playlist).mode & 0o777).toBe(0o600);
  expect(statSync(path.dirname(playlist)).mode & 0o777).toBe(0o700);
});

test('a photo for another program waits until it is whole', async () => {
  await expect(opened('Dunes.heic', 'image/heic', false)).rejects.toMatchObject({ code: 'not-complete' });
});

test('a file that was moved away is told as missing', async () => {
  await expect(opened('Gone.mkv', 'video/x-matroska', true)).rejects.toMatchObject({ code: 'file-missing' });
});

test('what only claims to be a film is not opened', async () => {
  writeFileSync(path.join(folder, 'Beach.exe'), 'MZ');
  await expect(opened('Beach.exe', 'video/mp4', true)).rejects.toMatchObject({ code: 'not-allowed' });
});
