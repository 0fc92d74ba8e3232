import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeSamples } from '../fixtures/samples.ts';
import { memorySource } from '../../src/media/byte-source.ts';
import type { ContainerFacts } from '../../src/media/container.ts';
import { readIsoBmff } from '../../src/media/isobmff.ts';
import { detectFormat } from '../../src/media/magic.ts';
import { readMatroska } from '../../src/media/matroska.ts';

const RUNS = 10_000;
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-containers-'));
  await makeSamples(folder);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (name: string): Buffer => readFileSync(path.join(folder, name));

test('a film tells its tracks and its index without a decoder', async () => {
  const film = { width: 320, height: 180, durationMs: expect.closeTo(2000, -2) as number };
  const h264 = [
    { kind: 'video', codec: 'h264' },
    { kind: 'audio', codec: 'aac' },
  ];
  const end = load('end.mp4');
  const moov = end.indexOf('moov', end.length - 20_000, 'latin1') - 4;
  expect(await readIsoBmff(memorySource(end))).toEqual({
    ...film,
    streams: h264,
    indexRanges: [
      { from: 0, to: Math.min(65_536, moov) },
      { from: moov, to: end.length },
    ],
  });
  const front = load('front.mp4');
  const { indexRanges } = await readIsoBmff(memorySource(front));
  expect(indexRanges).toEqual([{ from: 0, to: expect.any(Number) }]);
  expect(front.toString('latin1', indexRanges[0]?.to ?? 0, (indexRanges[0]?.to ?? 0) + 8)).toMatch(/free|mdat/);
  expect(await readIsoBmff(memorySource(load('part4.mp4')))).toMatchObject({
    streams: [
      { kind: 'video', codec: 'mpeg4' },
      { kind: 'audio', codec: 'aac' },
    ],
  });
  expect(await readIsoBmff(memorySource(load('camera.mov')))).toMatchObject({
    streams: [{ codec: 'h264' }, { codec: 'pcm_s16le' }],
  });

  const mkv = load('film.mkv');
  const matroska = await readMatroska(memorySource(mkv));
  expect(matroska).toMatchObject({ ...film, streams: h264 });
  expect(matroska.indexRanges).toHaveLength(2);
  expect(mkv.readUInt32BE(matroska.indexRanges[1]?.from ?? 0)).toBe(0x1c53bb6b);
  expect((await readMatroska(memorySource(load('surround.mkv')))).streams.map(({ codec }) => codec)).toEqual([
    'h264',
    'ac3',
  ]);
  expect((await readMatroska(memorySource(load('film.webm')))).streams.map(({ codec }) => codec)).toEqual([
    'vp8',
    'vorbis',
  ]);
});

test.each([
  ['end.mp4', readIsoBmff],
  ['front.mp4', readIsoBmff],
  ['fragments.mp4', readIsoBmff],
  ['film.mkv', readMatroska],
  ['film.webm', readMatroska],
] as const)(
  'whatever is done to %s, its reader ends and stays inside of the file',
  async (name, read) => {
    const original = load(name);
    // The middle is picture data, which these readers never look at.
    const small = Buffer.concat([original.subarray(0, 3000), original.subarray(-6000)]);
    const edit = fc.tuple(fc.nat(small.length - 1), fc.uint8Array({ minLength: 1, maxLength: 9 }));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 12 }), fc.nat(small.length), async (edits, cut) => {
        const bytes = Buffer.from(small);
        for (const [position, part] of edits) bytes.set(part.subarray(0, bytes.length - position), position);
        const kept = cut % 3 === 0 ? bytes.subarray(0, cut) : bytes;
        expect(isSane(await read(memorySource(kept)), kept.length)).toBe(true);
      }),
      { numRuns: RUNS / 5 },
    );
  },
  60_000,
);

test('noise of any kind is read without harm', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
      const format = detectFormat(Buffer.from(noise));
      expect(format === null || typeof format.type === 'string').toBe(true);
      const box = Buffer.concat([Buffer.from('0000000866747970', 'hex'), noise]);
      expect(isSane(await readIsoBmff(memorySource(box)), box.length)).toBe(true);
      const ebml = Buffer.concat([
        Buffer.from('1a45dfa380', 'hex'),
        Buffer.from('1853806701ffffffffffffff', 'hex'),
        noise,
      ]);
      expect(isSane(await readMatroska(memorySource(ebml)), ebml.length)).toBe(true);
    }),
    { numRuns: RUNS },
  );
});

function isSane(facts: ContainerFacts, size: number): boolean {
  const numbers = [facts.durationMs, facts.width, facts.height];
  return (
    facts.streams.length <= 1024 &&
    numbers.every((value) => value === null || (Number.isSafeInteger(value) && value >= 0)) &&
    facts.indexRanges.every(({ from, to }) => from >= 0 && from < to && to <= size)
  );
}
