import { expect, test } from 'vitest';
import { systemRandom } from '../base/random.ts';
import { fitEntries, MAX_STANZA_BYTES } from './fit-entries.ts';
import type { AttachmentKind, EnvelopeEntry } from './protocol/envelope.ts';
import { attachment } from './protocol/envelope.ts';
import { sealedLength } from './protocol/seal.ts';

const entry = (sizes: Partial<Record<AttachmentKind, number>>): EnvelopeEntry => ({
  bytes: systemRandom(1000),
  signature: systemRandom(64),
  attachments: Object.entries(sizes).map(([kind, size]) => attachment(kind as AttachmentKind, systemRandom(size))),
});
const kinds = (entries: readonly EnvelopeEntry[]) =>
  entries.flatMap(({ attachments }) => attachments.map(({ kind }) => kind));

test('what fits goes out whole', () => {
  const entries = [entry({ 'media-key': 60, metainfo: 2000, manifest: 500, preview: 9000 })];
  expect(fitEntries(entries, 10, 'a line')).toBe(entries);
});

test('what can be fetched or made again is left out first, keys and texts never', () => {
  const entries = [entry({ 'media-key': 60, metainfo: 24_000, manifest: 4000, preview: 30_000, text: 100 })];
  expect(kinds(fitEntries(entries, 1, null))).toEqual(['media-key', 'metainfo', 'manifest', 'text']);
  expect(kinds(fitEntries(entries, 100, null))).toEqual(['media-key', 'manifest', 'text']);
  expect(kinds(fitEntries(entries, 200, null))).toEqual(['media-key', 'text']);
});

test('the picture of a sphere is left out where so many computers read that nothing else would leave', () => {
  const entries = [entry({ picture: 24 * 1024 })];
  expect(kinds(fitEntries(entries, 60, null))).toEqual(['picture']);
  expect(kinds(fitEntries(entries, 150, null))).toEqual([]);
});

test('what this version does not know is left out before what it knows', () => {
  const long = entry({ metainfo: 20_000, preview: 10_000 });
  const unknown = { kind: null, code: 99, bytes: systemRandom(30_000) };
  expect(kinds(fitEntries([{ ...long, attachments: [unknown, ...long.attachments] }], 1, null))).toEqual([
    'metainfo',
    'preview',
  ]);
});

test('the line counts as well, and what is left stays below a stanza', () => {
  const entries = [entry({ metainfo: 20_000, manifest: 4000 })];
  const fitted = fitEntries(entries, 60, 'x'.repeat(12_000));
  expect(kinds(fitted)).toEqual(['manifest']);
  expect((sealedLength(fitted) * 4) / 3 + 16_000 + 60 * 300).toBeLessThan(MAX_STANZA_BYTES);
});

test('what cannot be made to fit is refused, for it would end the connection each time', () => {
  const entries = [entry({ text: 60_000 })];
  expect(() => fitEntries(entries, 1, null)).toThrow(/too long for a stanza/);
});
