import { describe, expect, test } from 'vitest';
import { fakeFile, fakeItem, fakeSphere } from '../../../test/fixtures/fake-views.ts';
import { photoSlides } from './photo-slides.ts';
import { judge, type WatchedMedia } from './use-playback-watchdog.ts';
import { nextFile, viewFor } from './view-for.ts';

const fine: WatchedMedia = {
  currentTime: 2,
  paused: false,
  muted: false,
  error: null,
  videoWidth: 1280,
  webkitAudioDecodedByteCount: 9000,
};

describe('the watchdog', () => {
  test('is content while picture and sound come', () => {
    expect(judge(fine, 'video', 10)).toBeNull();
  });

  test('sees a film that plays sound over a black picture, which the browser does not report', () => {
    expect(judge({ ...fine, videoWidth: 0 }, 'video', 2)).toBe('no-picture');
  });

  test('waits until something has really been played before it judges', () => {
    expect(judge({ ...fine, videoWidth: 0, webkitAudioDecodedByteCount: 0 }, 'video', 1)).toBeNull();
  });

  test('only hints at a silent film, because films may be silent, but music may not', () => {
    expect(judge({ ...fine, webkitAudioDecodedByteCount: 0 }, 'video', 2)).toBe('maybe-silent');
    expect(judge({ ...fine, webkitAudioDecodedByteCount: 0 }, 'audio', 2)).toBe('no-sound');
  });

  test('tells a broken line from a broken file', () => {
    expect(judge({ ...fine, error: { code: 2 } }, 'video', 0)).toBe('interrupted');
    expect(judge({ ...fine, error: { code: 3 } }, 'video', 0)).toBe('broken');
    expect(judge({ ...fine, error: { code: 4 } }, 'video', 0)).toBe('broken');
  });

  test('does not take a browser without a sound counter for silence', () => {
    const { webkitAudioDecodedByteCount: _, ...others } = fine;
    expect(judge(others, 'audio', 5)).toBeNull();
  });
});

const sphere = fakeSphere('Sea');
const album = fakeItem(sphere, 'Album', 'folder', {
  files: [
    fakeFile('1.flac', 'audio', { index: 0 }),
    fakeFile('cover.jpg', 'image', { index: 1 }),
    fakeFile('2.flac', 'audio', { index: 2 }),
    fakeFile('3.wma', 'audio', { index: 3, playable: 'elsewhere' }),
  ],
});

describe('the way an item is shown', () => {
  test('films and music get the player, also those for another program', () => {
    const film = fakeItem(sphere, 'a.mkv', 'video', { files: [fakeFile('a.mkv', 'video', { playable: 'elsewhere' })] });
    expect(viewFor(film, null).kind).toBe('player');
    expect(viewFor(album, 0).kind).toBe('player');
  });

  test('a photo the page cannot decode is shown as a file', () => {
    const heic = fakeItem(sphere, 'a.heic', 'image', {
      files: [fakeFile('a.heic', 'image', { playable: 'elsewhere' })],
    });
    expect(viewFor(heic, null).kind).toBe('file');
    expect(viewFor(fakeItem(sphere, 'a.jpg', 'image'), null).kind).toBe('photo');
  });

  test('a folder lists its files, each file opens as what it is', () => {
    expect(viewFor(album, null)).toEqual({ kind: 'folder' });
    expect(viewFor(album, 1).kind).toBe('photo');
  });

  test('an item whose files are not known yet still has a view', () => {
    expect(viewFor(fakeItem(sphere, 'x.bin', 'other', { files: [] }), null).kind).toBe('file');
  });

  test('the next song follows the song, not the cover', () => {
    expect(nextFile(album, 0)?.index).toBe(2);
    expect(nextFile(album, 3)).toBeNull();
  });
});

describe('the slide show', () => {
  const photo = fakeItem(sphere, 'a.jpg', 'image', { width: 4000, height: 3000, previewUrl: '/preview/a' });
  const other = fakeItem(sphere, 'b.jpg', 'image');

  test('goes through the photos of the sphere in gallery order and leaves out the rest', () => {
    const slides = photoSlides(photo, [other, album, photo]);
    expect(slides.map(({ alt }) => alt)).toEqual(['b.jpg', 'a.jpg']);
    expect(slides[1]).toMatchObject({ width: 4000, height: 3000, msrc: '/preview/a' });
  });

  test('stays inside a folder', () => {
    expect(photoSlides(album, [photo, album]).map(({ alt }) => alt)).toEqual(['cover.jpg']);
  });
});
