import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import type { Segment } from '../contract/swarm.ts';
import type { Span } from './byte-space.ts';
import { ByteSpace } from './byte-space.ts';

const file = (offset: number, length: number): Segment => ({
  kind: 'file',
  offset,
  length,
  path: `/f${offset}`,
  root: null,
  identity: null,
});
const filler = (offset: number): number => 1 + (offset % 250);
const bytes = (offset: number, ...values: number[]): Segment => ({
  kind: 'bytes',
  offset,
  bytes: Uint8Array.from(values),
});

test('files, inline bytes and the zeros between them are found in order', () => {
  const space = new ByteSpace([bytes(8, 1, 2, 3), file(0, 5), file(5, 0)], 16);
  expect(space.plan(3, 10)).toEqual([
    { kind: 'file', at: 0, length: 2, file: 0, position: 3 },
    { kind: 'padding', at: 2, length: 3 },
    { kind: 'bytes', at: 5, length: 3, bytes: Uint8Array.of(1, 2, 3) },
    { kind: 'padding', at: 8, length: 2 },
  ]);
  expect(space.plan(16, 0)).toEqual([]);
});

test('segments that overlap or leave the torrent are refused', () => {
  const refused = { code: 'bad-input' };
  expect(() => new ByteSpace([file(0, 5), file(4, 5)], 16)).toThrow(expect.objectContaining(refused));
  expect(() => new ByteSpace([file(10, 7)], 16)).toThrow(expect.objectContaining(refused));
  expect(() => new ByteSpace([file(-1, 7)], 16)).toThrow(expect.objectContaining(refused));
  expect(() => new ByteSpace([], 16).plan(10, 7)).toThrow(expect.objectContaining(refused));
  expect(() => new ByteSpace([], 16).plan(-1, 2)).toThrow(expect.objectContaining(refused));
});

test('the pieces of a file are those that hold a byte of it', () => {
  const space = new ByteSpace([file(0, 10), file(16, 1), file(32, 0)], 48);
  expect(space.piecesOf(0, 8)).toEqual({ first: 0, last: 1 });
  expect(space.piecesOf(1, 8)).toEqual({ first: 2, last: 2 });
  expect(space.piecesOf(2, 8)).toBeNull();
});

test('every range of every layout is covered without gap or overlap, and gives the bytes of the whole', () => {
  const layout = fc.array(fc.record({ gap: fc.nat(20), size: fc.nat(50), inline: fc.boolean() }), { maxLength: 12 });
  fc.assert(
    fc.property(layout, fc.nat(30), fc.nat(), fc.nat(), (parts, tail, a, b) => {
      const segments: Segment[] = [];
      const whole: number[] = [];
      for (const { gap, size, inline } of parts) {
        whole.push(...Array<number>(gap).fill(0));
        const content = new Uint8Array(size).fill(filler(whole.length));
        segments.push(inline ? { kind: 'bytes', offset: whole.length, bytes: content } : file(whole.length, size));
        whole.push(...content);
      }
      whole.push(...Array<number>(tail).fill(0));
      const space = new ByteSpace(segments.toReversed(), whole.length);
      const [from, to] = [a % (whole.length + 1), b % (whole.length + 1)].sort((x, y) => x - y) as [number, number];
      const spans = space.plan(from, to - from);
      expect(spans.reduce((at, span) => (span.at === at ? at + span.length : Number.NaN), 0)).toBe(to - from);
      for (const span of spans) {
        expect(span.length).toBeGreaterThan(0);
        expect(describe(span, space, from)).toEqual(whole.slice(from + span.at, from + span.at + span.length));
      }
    }),
    { numRuns: fuzzRuns(1000) },
  );
});

/** The bytes a span stands for: a file of the test is filled with a byte that tells where it begins. */
function describe(span: Span, space: ByteSpace, from: number): number[] {
  if (span.kind === 'padding') return Array<number>(span.length).fill(0);
  if (span.kind === 'bytes') return Array.from(span.bytes);
  const offset = space.files[span.file]?.offset ?? -1;
  const misplaced = offset + span.position !== from + span.at;
  return Array<number>(span.length).fill(misplaced ? -1 : filler(offset));
}
