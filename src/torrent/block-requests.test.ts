import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseDeviceKey } from '../base/id.ts';
import { Assembly, UNIT_BYTES } from './assembly.ts';
import { BlockRequests } from './block-requests.ts';
import { PieceBuffers } from './piece-buffers.ts';
import type { BlockHeader } from './wire-framer.ts';

const MIB = 1024 * 1024;

function connection() {
  const clock = new VirtualClock(0);
  const asked: BlockHeader[] = [];
  const takenBack: BlockHeader[] = [];
  const arrived: number[] = [];
  const requests = new BlockRequests({
    clock,
    device: parseDeviceKey('a'.repeat(64)),
    ask: (block) => void asked.push(block),
    takeBack: (block) => void takenBack.push(block),
    onArrived: (assembly) => void arrived.push(assembly.piece),
  });
  const buffers = new PieceBuffers();
  const piece = (index: number, bytes = MIB): Assembly => new Assembly(index, buffers.take(bytes));
  /** Asks as much as fits, and gives the number of bytes. */
  const fill = (assembly: Assembly): number => {
    const before = asked.length;
    while (requests.hasRoom) {
      const range = assembly.reserve(requests.blockBytes);
      if (range === null) break;
      requests.ask(assembly, range);
    }
    return asked.slice(before).reduce((sum, { length }) => sum + length, 0);
  };
  const answer = (block: BlockHeader, byte = 1): void => {
    const sink = requests.receive(block);
    sink.write(Buffer.alloc(block.length, byte), 0, block.length);
    sink.end();
  };
  return { clock, requests, asked, takenBack, arrived, piece, fill, answer };
}

test('more is asked for while answers come soon, in larger blocks, and less when they come late', async () => {
  const { clock, requests, asked, piece, fill, answer } = connection();
  requests.capacity.block = 128 * 1024;
  requests.prove();
  expect(fill(piece(0))).toBe(4 * UNIT_BYTES);
  for (let index = 1; index < 40; index += 1) {
    for (const block of asked.splice(0)) answer(block);
    fill(piece(index));
  }
  const outstanding = asked.reduce((sum, { length }) => sum + length, 0);
  expect([outstanding > MIB / 2, requests.blockBytes > 2 * UNIT_BYTES]).toEqual([true, true]);
  for (let index = 40; index < 60; index += 1) {
    await clock.advance(3_000);
    for (const block of asked.splice(0)) answer(block);
    fill(piece(index));
  }
  for (const block of asked.splice(0)) answer(block);
  expect(fill(piece(99))).toBeLessThan(outstanding / 2);
});

test('a peer of which no piece was right yet is asked for little', () => {
  const { asked, piece, fill, answer } = connection();
  for (let index = 0; index < 60; index += 1) {
    fill(piece(index));
    for (const block of asked.splice(0)) answer(block);
  }
  expect(fill(piece(60, 16 * MIB))).toBeLessThanOrEqual(MIB + UNIT_BYTES);
});

test('blocks go to their place, and what nobody asked for goes nowhere', () => {
  const { requests, arrived, piece, answer } = connection();
  const assembly = piece(3, 2 * UNIT_BYTES);
  assembly.bytes.fill(0);
  const [first, second] = [assembly.reserve(UNIT_BYTES), assembly.reserve(UNIT_BYTES)];
  if (first === null || second === null) throw new Error('the piece is too short');
  requests.ask(assembly, second);
  answer({ piece: 3, ...first }, 9);
  answer({ piece: 4, ...second }, 9);
  answer({ piece: 3, ...second }, 5);
  answer({ piece: 3, ...second }, 7);
  expect([arrived, assembly.bytes[0], assembly.bytes[UNIT_BYTES]]).toEqual([[3], 0, 5]);
});

test('bytes of a block that was taken back while it arrived do not reach its place', () => {
  const { requests, takenBack, arrived, piece } = connection();
  const assembly = piece(3, UNIT_BYTES);
  assembly.bytes.fill(0);
  const range = assembly.reserve(UNIT_BYTES) ?? { offset: 0, length: 0 };
  requests.ask(assembly, range);
  const sink = requests.receive({ piece: 3, ...range });
  sink.write(Buffer.alloc(100, 1), 0, 100);
  requests.takeBack(() => true);
  sink.write(Buffer.alloc(UNIT_BYTES - 100, 2), 0, UNIT_BYTES - 100);
  sink.end();
  expect([takenBack.length, arrived, assembly.bytes[0], assembly.bytes[100], assembly.hasFree]).toEqual([
    1,
    [],
    1,
    0,
    true,
  ]);
});

test('rejected blocks and those of a connection that ended can be asked of somebody else', async () => {
  const { clock, requests, asked, piece, fill } = connection();
  const assembly = piece(0);
  fill(assembly);
  await clock.advance(5_000);
  expect(requests.stalledMs).toBe(5_000);
  requests.rejected(asked[0] ?? { piece: 0, offset: 0, length: 0 });
  expect([requests.length, assembly.reserve(UNIT_BYTES)?.offset]).toEqual([3, 0]);
  requests.forgetAll();
  expect([requests.length, requests.stalledMs, assembly.reserve(UNIT_BYTES)?.offset]).toEqual([0, 0, UNIT_BYTES]);
});

test('what is late is taken back, of the pieces named and no more than asked for, until a block comes again', async () => {
  const { clock, requests, asked, takenBack, piece, answer } = connection();
  const ask = (assembly: Assembly): void => {
    const range = assembly.reserve(UNIT_BYTES);
    if (range !== null) requests.ask(assembly, range);
  };
  const [first, second] = [piece(1), piece(2)];
  for (const assembly of [first, second, second]) ask(assembly);
  await clock.advance(3_000);
  ask(second);
  const late = (bytes: number): number => requests.takeBackLate(2_000, bytes, (index) => index === 2).size;
  expect([late(UNIT_BYTES), requests.isLate, requests.length]).toEqual([1, true, 3]);
  expect(takenBack).toEqual([asked[2]]);
  expect([late(10 * UNIT_BYTES), late(10 * UNIT_BYTES)]).toEqual([1, 0]);
  expect(second.reserve(10 * UNIT_BYTES)).toEqual({ offset: 0, length: 2 * UNIT_BYTES });
  expect(requests.answerMs).toBe(0);
  if (asked[0] !== undefined) answer(asked[0]);
  expect([requests.isLate, requests.answerMs]).toEqual([false, 3_000]);
});
