import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { toUtf8 } from '../base/bytes.ts';
import { keepPicture, PastedPictures } from './pasted-pictures.ts';

const part = (pictureId: string, text: string, isLast: boolean) => ({ pictureId, bytes: toUtf8(text), isLast });

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'spherecast-pasted-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

test('parts of two pictures that come between each other are put together apart', () => {
  const pictures = new PastedPictures();
  expect(pictures.take(part('a', 'one ', false))).toBeUndefined();
  expect(pictures.take(part('b', 'three', true))).toEqual(toUtf8('three'));
  expect(pictures.take(part('a', 'two', true))).toEqual(toUtf8('one two'));
  expect(pictures.take(part('a', 'anew', true))).toEqual(toUtf8('anew'));
});

test('a picture without end is given up, and unfinished ones fill no memory', () => {
  const pictures = new PastedPictures();
  const bytes = new Uint8Array(17 * 1024 * 1024);
  pictures.take({ pictureId: 'a', bytes, isLast: false });
  expect(() => pictures.take({ pictureId: 'a', bytes, isLast: false })).toThrow('too large');
  for (const id of ['1', '2', '3', '4', '5']) pictures.take(part(id, `${id} `, false));
  expect(pictures.take(part('1', 'end', true))).toEqual(toUtf8('end'));
  expect(pictures.take(part('5', 'end', true))).toEqual(toUtf8('5 end'));
});

test('a picture is kept under a free, safe name with the ending of what it is', async () => {
  const here = folder();
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1, 2, 3);
  const first = await keepPicture(here, 'Pasted: today', png);
  await keepPicture(here, 'Pasted: today', png);
  expect(new Uint8Array(readFileSync(first))).toEqual(png);
  expect(readdirSync(here)).toHaveLength(2);
  expect(readdirSync(here).every((name) => name.endsWith('.png') && !name.includes(':'))).toBe(true);
  await expect(keepPicture(here, 'page', toUtf8('<html>'))).rejects.toMatchObject({ code: 'bad-input' });
  await expect(keepPicture(join(here, 'gone'), 'x', png)).rejects.toThrow('cannot be kept');
});
