import { expect, test } from 'vitest';
import { parseDeviceKey } from '../base/id.ts';
import { Assemblies } from './assemblies.ts';
import { Assembly, UNIT_BYTES } from './assembly.ts';
import { PieceBuffers } from './piece-buffers.ts';

const anna = parseDeviceKey('a'.repeat(64));
const ben = parseDeviceKey('b'.repeat(64));
const begin = (bytes: number): Assembly => new Assembly(7, new PieceBuffers().take(bytes));

function assemblies(pieceLength: number, buffers = new PieceBuffers()) {
  return { buffers, open: new Assemblies({ pieceLength, pieceSize: () => pieceLength, buffers }) };
}

test('a piece is given out in ranges without gap or overlap, whatever their size', () => {
  const piece = begin(5 * UNIT_BYTES + 100);
  const most = [UNIT_BYTES, 3 * UNIT_BYTES, 10, 128 * 1024];
  expect(most.map((bytes) => piece.reserve(bytes))).toEqual([
    { offset: 0, length: UNIT_BYTES },
    { offset: UNIT_BYTES, length: 3 * UNIT_BYTES },
    { offset: 4 * UNIT_BYTES, length: UNIT_BYTES },
    { offset: 5 * UNIT_BYTES, length: 100 },
  ]);
  expect([piece.reserve(1), piece.hasFree, piece.isComplete]).toEqual([null, false, false]);
});

test('what will not come is given out again, what came is not', () => {
  const piece = begin(3 * UNIT_BYTES);
  const [first, second, third] = [piece.reserve(1), piece.reserve(1), piece.reserve(1)];
  if (first === null || second === null || third === null) throw new Error('the piece is too short');
  piece.arrived(second, anna);
  piece.release(first);
  piece.release(third);
  expect(piece.isIdle).toBe(true);
  expect([piece.reserve(3 * UNIT_BYTES), piece.reserve(3 * UNIT_BYTES)]).toEqual([first, third]);
  piece.arrived(first, ben);
  piece.arrived(third, anna);
  expect([piece.isComplete, piece.isIdle, Array.from(piece.sources)]).toEqual([true, false, [anna, ben]]);
});

test('pieces that nobody sends make room for others, and the memory goes round', () => {
  const MIB = 1024 * 1024;
  const { open, buffers } = assemblies(8 * MIB);
  const begun = [0, 1, 2, 3].map((piece) => open.begin(piece));
  for (const piece of begun.slice(1)) piece?.reserve(1);
  expect([open.begin(1)?.piece, open.begin(4)?.piece]).toEqual([1, 4]);
  // The first one was idle and gave its memory to the fifth; its piece can be begun anew only when another one is idle.
  open.begin(4)?.reserve(1);
  expect([open.begin(0), buffers.keptBytes]).toEqual([null, 0]);
});

test.each([
  [32, UNIT_BYTES],
  [16, 1024 * 1024],
])('nothing more is begun while %i pieces of %i bytes wait for the disk', (most, pieceLength) => {
  const { open } = assemblies(pieceLength);
  for (let piece = 0; piece < most; piece += 1) {
    const begun = open.begin(piece);
    if (begun !== null) open.completed(begun);
  }
  expect(open.begin(most)).toBe(null);
  const first = open.begin(0);
  if (first !== null) open.close(first);
  expect(open.begin(most)?.piece).toBe(most);
});
