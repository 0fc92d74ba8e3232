import { expect, test } from 'vitest';
import { isOpenedElsewhere } from './opened-elsewhere.ts';

test('films, songs, pictures and documents are handed to another program', () => {
  expect(isOpenedElsewhere({ name: 'beach.mkv', type: 'video/x-matroska' })).toBe(true);
  expect(isOpenedElsewhere({ name: 'Song.MP3', type: 'audio/mpeg' })).toBe(true);
  expect(isOpenedElsewhere({ name: 'beach.heic', type: 'image/heic' })).toBe(true);
  expect(isOpenedElsewhere({ name: 'ticket.pdf', type: 'application/pdf' })).toBe(true);
});

test.each(['film.exe', 'film.mp4.lnk', 'film.desktop', 'film.command', 'film.hta', 'film', 'film.mp4 (2)'])(
  'a program that calls itself a film is not opened by a click: %s',
  (name) => {
    expect(isOpenedElsewhere({ name, type: 'video/mp4' })).toBe(false);
  },
);

test('what is no media by its sharer’s own word is not opened, whatever it is called', () => {
  expect(isOpenedElsewhere({ name: 'film.mp4', type: 'application/octet-stream' })).toBe(false);
});
