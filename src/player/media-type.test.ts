import { expect, test } from 'vitest';
import { isShownInline, kindOfType, servedType, typeOfName } from './media-type.ts';

test.each([
  ['film.MP4', null, 'video/mp4', true],
  ['film.mkv', 'video/x-matroska', 'video/x-matroska', true],
  ['photo.jpeg', null, 'image/jpeg', true],
  ['page.html', null, 'application/octet-stream', false],
  ['page.mp4', 'text/html', 'application/octet-stream', false],
  ['drawing.svg', null, 'application/octet-stream', false],
  ['drawing.png', 'image/svg+xml', 'application/octet-stream', false],
  ['program.mp4', 'application/octet-stream', 'application/octet-stream', false],
  ['script.js', 'text/javascript', 'application/octet-stream', false],
  ['book.pdf', null, 'application/pdf', false],
  ['no extension', null, 'application/octet-stream', false],
  ['.mp4', null, 'video/mp4', true],
  ['x.constructor', null, 'application/octet-stream', false],
  ['x.__proto__', null, 'application/octet-stream', false],
])('%s with content %s is served as %s', (name, byContent, expected, inline) => {
  const type = servedType(name, byContent);
  expect([type, isShownInline(type)]).toEqual([expected, inline]);
});

test('kinds follow the type', () => {
  expect(['a.mov', 'a.opus', 'a.gif', 'a.pdf', 'a.exe'].map((name) => kindOfType(typeOfName(name)))).toEqual([
    'video',
    'audio',
    'image',
    'pdf',
    'other',
  ]);
});
