import { expect, test } from 'vitest';
import { placeToKeep } from './place-to-keep.ts';

test.each([
  { what: 'a film in the middle goes on there', kind: 'video', place: 3600.4, length: 7200, kept: 3_600_400 },
  { what: 'a film of a minute sought to half of it goes on there', kind: 'video', place: 30, length: 60, kept: 30_000 },
  { what: 'a film that has hardly begun begins anew', kind: 'video', place: 9, length: 7200, kept: 0 },
  { what: 'a film in its credits begins anew', kind: 'video', place: 7000, length: 7200, kept: 0 },
  { what: 'a short clip begins anew', kind: 'video', place: 15, length: 30, kept: 0 },
  { what: 'a song begins anew', kind: 'audio', place: 100, length: 240, kept: 0 },
  { what: 'a talk goes on where it was', kind: 'audio', place: 1000, length: 3600, kept: 1_000_000 },
  { what: 'a stream of unknown length begins anew', kind: 'video', place: 100, length: Infinity, kept: 0 },
  { what: 'a film whose length is not known yet begins anew', kind: 'video', place: 100, length: NaN, kept: 0 },
] as const)('$what', ({ kind, place, length, kept }) => {
  expect(placeToKeep(kind, place, length)).toBe(kept);
});
