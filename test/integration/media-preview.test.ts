import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeSamples } from '../fixtures/samples.ts';
import { playability } from '../../src/player/playability.ts';
import { drawPortrait } from '../../src/media/portrait.ts';
import { previewFile } from '../../src/media/preview.ts';
import { probeFile } from '../../src/media/probe.ts';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-samples-'));
  await makeSamples(folder);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => path.join(folder, name);

test.each([
  ['end.mp4', 'video/mp4', 'video:h264 audio:aac', 320, 180, 'here'],
  ['front.mp4', 'video/mp4', 'video:h264 audio:aac', 320, 180, 'here'],
  ['fragments.mp4', 'video/mp4', 'video:h264 audio:aac', 320, 180, 'here'],
  ['turned.mp4', 'video/mp4', 'video:h264 audio:aac', 180, 320, 'here'],
  ['camera.mov', 'video/quicktime', 'video:h264 audio:pcm_s16le', 320, 180, 'here'],
  ['phone.3gp', 'video/3gpp', 'video:h264 audio:aac', 320, 180, 'here'],
  ['film.mkv', 'video/x-matroska', 'video:h264 audio:aac', 320, 180, 'here'],
  ['film.webm', 'video/webm', 'video:vp8 audio:vorbis', 320, 180, 'here'],
  ['surround.mkv', 'video/x-matroska', 'video:h264 audio:ac3', 320, 180, 'elsewhere'],
  ['old.avi', 'video/x-msvideo', 'video:mpeg4 audio:mp3', 320, 180, 'elsewhere'],
  ['part4.mp4', 'video/mp4', 'video:mpeg4 audio:aac', 320, 180, 'elsewhere'],
  ['camcorder.mts', 'video/mp2t', 'video:h264 audio:ac3', 320, 180, 'elsewhere'],
  ['cover.mp3', 'audio/mpeg', 'audio:mp3 other:mjpeg', null, null, 'here'],
  ['song.m4a', 'audio/mp4', 'audio:aac', null, null, 'here'],
  ['song.flac', 'audio/flac', 'audio:flac', null, null, 'here'],
  ['song.ogg', 'audio/ogg', 'audio:vorbis', null, null, 'here'],
  ['song.opus', 'audio/ogg', 'audio:opus', null, null, 'here'],
  ['song.wav', 'audio/wav', 'audio:pcm_s16le', null, null, 'here'],
  ['photo.jpg', 'image/jpeg', '', 640, 480, 'here'],
  ['photo.avif', 'image/avif', '', 640, 480, 'here'],
  ['photo.bmp', 'image/bmp', '', 640, 480, 'here'],
])('%s is probed as %s with %s', async (name, type, streams, width, height, playable) => {
  const probe = await probeFile(at(name));
  expect({ ...probe, streams: probe.streams.map(({ kind, codec }) => `${kind}:${codec}`).join(' ') }).toMatchObject({
    type,
    streams,
    width,
    height,
  });
  expect(playability(probe)).toBe(playable);
  const seconds = probe.durationMs === null ? null : Math.round(probe.durationMs / 1000);
  expect(seconds).toBe(type.startsWith('image/') ? null : 2);
});

test.each([
  ...['end.mp4', 'front.mp4', 'fragments.mp4', 'camera.mov', 'phone.3gp', 'film.mkv', 'film.webm', 'old.avi'],
  ...['camcorder.mts', 'cover.mp3', 'cover.m4a', 'photo.png', 'photo.jpg', 'photo.webp', 'photo.avif', 'photo.bmp'],
  'moving.gif',
])('%s has a small preview without metadata', async (name) => {
  const preview = await previewFile(at(name));
  if (preview === null) throw new Error('no preview');
  const { format, width, height, exif, icc, xmp } = await sharp(Buffer.from(preview.image)).metadata();
  expect({ format, width, height, exif, icc, xmp }).toEqual({
    format: 'webp',
    width: preview.width,
    height: preview.height,
    exif: undefined,
    icc: undefined,
    xmp: undefined,
  });
  expect(Math.max(preview.width, preview.height)).toBe(320);
  expect(preview.image.length).toBeLessThanOrEqual(12 * 1024);
  expect(preview.thumbhash.length).toBeLessThanOrEqual(25);
});

test('songs without a cover and files of no known kind have no preview', async () => {
  for (const name of ['song.mp3', 'song.wav', 'song.opus']) expect(await previewFile(at(name))).toBeNull();
  writeFileSync(at('letter.txt'), 'Dear all');
  writeFileSync(at('empty.mp4'), '');
  for (const name of ['letter.txt', 'empty.mp4']) {
    expect([await previewFile(at(name)), (await probeFile(at(name))).kind]).toEqual([null, 'other']);
  }
});

test('pictures from phones stand upright', async () => {
  const turned = await previewFile(at('turned.mp4'));
  expect([turned?.width, turned?.height]).toEqual([180, 320]);
  await sharp(at('photo.jpg')).withMetadata({ orientation: 6 }).toFile(at('upright.jpg'));
  const photo = await previewFile(at('upright.jpg'));
  expect([photo?.width, photo?.height]).toEqual([240, 320]);
  expect(await probeFile(at('upright.jpg'))).toMatchObject({ width: 480, height: 640 });
});

test('a picture that is nothing but noise is made to fit', async () => {
  const noise = { type: 'gaussian', mean: 128, sigma: 80 } as const;
  await sharp({ create: { width: 900, height: 700, channels: 3, background: 'black', noise } })
    .jpeg({ quality: 100 })
    .toFile(at('noise.jpg'));
  const preview = await previewFile(at('noise.jpg'));
  expect(preview?.image.length).toBeLessThanOrEqual(12 * 1024);
});

test('what a file is called does not matter, what is in it does', async () => {
  copyFileSync(at('end.mp4'), at('holiday.txt'));
  expect((await probeFile(at('holiday.txt'))).type).toBe('video/mp4');
  const disguises = {
    'playlist.mp4': '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/canary\n',
    'concat.mp4': 'ffconcat version 1.0\nfile /etc/passwd\n',
    'program.mp4': 'MZ\u0090\u0000\u0003',
    'script.png': '#!/bin/sh\n',
    'page.jpg': '<!doctype html><script>',
    'drawing.png': '<svg xmlns="http://www.w3.org/2000/svg"/>',
    'mail.bmp': 'BM wants to know',
  };
  for (const [name, content] of Object.entries(disguises)) {
    writeFileSync(at(name), content, 'latin1');
    expect([name, (await probeFile(at(name))).type, await previewFile(at(name))]).toEqual([
      name,
      'application/octet-stream',
      null,
    ]);
  }
});

test('a picture that claims to be larger than memory has no preview', async () => {
  const header = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
  const size = Buffer.alloc(8);
  size.writeUInt32BE(1_000_000_000, 0);
  size.writeUInt32BE(1_000_000_000, 4);
  writeFileSync(at('bomb.png'), Buffer.concat([header, size, Buffer.from('0802000000', 'hex'), Buffer.alloc(64)]));
  expect(await previewFile(at('bomb.png'))).toBeNull();
  expect(await probeFile(at('bomb.png'))).toMatchObject({ kind: 'image', width: null, height: null });
});

test('a person’s picture is a small square without metadata, and nothing but a picture is one', async () => {
  await sharp(at('photo.jpg')).withMetadata({ orientation: 6 }).toFile(at('face.jpg'));
  for (const name of ['photo.png', 'face.jpg', 'photo.webp', 'moving.gif']) {
    const portrait = await drawPortrait(readFileSync(at(name)));
    if (portrait === null) throw new Error(`${name} is no picture`);
    const [png, shown] = await Promise.all(
      [portrait.png, portrait.image].map((one) => sharp(Buffer.from(one)).metadata()),
    );
    expect([png?.format, png?.width, png?.height, png?.exif]).toEqual(['png', portrait.side, portrait.side, undefined]);
    expect([shown?.format, shown?.width, shown?.exif]).toEqual(['webp', portrait.side, undefined]);
    expect(portrait.png.length).toBeLessThanOrEqual(48 * 1024);
  }
  const noise = { type: 'gaussian', mean: 128, sigma: 80 } as const;
  const loud = sharp({ create: { width: 900, height: 700, channels: 3, background: 'black', noise } }).png();
  expect((await drawPortrait(await loud.toBuffer()))?.png.length).toBeLessThanOrEqual(48 * 1024);
  const none = [
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    '',
    '\u0089PNG\r\n\u001a\n and nothing',
  ];
  for (const text of none) expect([text, await drawPortrait(Buffer.from(text, 'latin1'))]).toEqual([text, null]);
  for (const name of ['end.mp4', 'photo.avif']) expect(await drawPortrait(readFileSync(at(name)))).toBeNull();
});

test('a few kilobytes of somebody else that claim a hundred million pixels are not drawn, a single colour is', async () => {
  const plain = (side: number) => sharp({ create: { width: side, height: side, channels: 3, background: '#888' } });
  const huge = await plain(10_900).jpeg({ progressive: true }).toBuffer();
  expect(await drawPortrait(huge.subarray(0, 24 * 1024))).toBeNull();
  expect((await drawPortrait(await plain(1_900).webp({ lossless: true }).toBuffer()))?.side).toBe(192);
});
