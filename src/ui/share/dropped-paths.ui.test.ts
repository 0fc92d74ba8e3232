import { expect, test } from 'vitest';
import { droppedPaths } from './dropped-paths.ts';

const film = new File(['x'], 'film.mp4');
const photo = new File(['x'], 'photo.jpg');

test('the desktop application turns dropped files into their real paths, each once', () => {
  const shell = { pathForFile: (file: File) => `/home/anna/${file.name}` };
  expect(droppedPaths([film, photo, film], shell)).toEqual({
    kind: 'paths',
    paths: ['/home/anna/film.mp4', '/home/anna/photo.jpg'],
  });
});

test('a browser knows only the names, so the picker has to ask where they are', () => {
  expect(droppedPaths([film, photo], null)).toEqual({ kind: 'no-paths', names: ['film.mp4', 'photo.jpg'] });
});

test('a picture dragged out of another window has no path in the desktop application either', () => {
  expect(droppedPaths([film], { pathForFile: () => '' })).toEqual({ kind: 'no-paths', names: ['film.mp4'] });
});

test('text dragged onto the page shares nothing', () => {
  expect(droppedPaths([], null)).toEqual({ kind: 'nothing' });
});
