import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { HeldPiece } from './held-piece.ts';
import { TokenBucket } from './limits.ts';
import { PieceBuffers } from './piece-buffers.ts';
import type { BlockRequest } from './request-queue.ts';
import type { UploadsDeps } from './uploads.ts';
import { REQUEST_QUEUE, Uploads } from './uploads.ts';

const BLOCK = 16_384;
const MIB = 1024 * 1024;
const block = (index: number, offset = 0): BlockRequest => ({ index, offset, length: BLOCK });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A connection that takes everything, until `taking` is false: then blocks wait for `flush`. */
function uploads(options: { rate?: number; pieceBytes?: number; borrow?: UploadsDeps['borrow'] } = {}) {
  const clock = new VirtualClock(0);
  const buffers = new PieceBuffers();
  const sent: number[] = [];
  const rejected: number[] = [];
  const failures: unknown[] = [];
  const read: number[] = [];
  const unsent: (() => void)[] = [];
  const state = { connections: { all: 1, ofDevice: 1 }, taking: true };
  const size = options.pieceBytes ?? 4 * BLOCK;
  const subject = new Uploads({
    bucket: new TokenBucket({ clock, rate: options.rate ?? 0 }),
    pieceBytes: size,
    borrow:
      options.borrow ??
      ((index) => {
        read.push(index);
        return Promise.resolve(new HeldPiece(buffers.take(size), buffers, 1));
      }),
    send: ({ index }, _block, done) => {
      sent.push(index);
      if (state.taking) done();
      else unsent.push(done);
    },
    reject: ({ index }) => void rejected.push(index),
    connections: () => state.connections,
    onFailure: (error) => void failures.push(error),
  });
  const flush = (): void => unsent.splice(0).forEach((done) => done());
  return { subject, clock, buffers, sent, rejected, failures, read, state, flush };
}

test('requests are served in order', async () => {
  const { subject, sent } = uploads();
  for (const index of [3, 1, 2]) subject.request(block(index));
  await settle();
  expect(sent).toEqual([3, 1, 2]);
});

test('nothing more is sent while more than four mebibytes wait to be sent', async () => {
  const { subject, sent, state, flush } = uploads({ pieceBytes: MIB });
  state.taking = false;
  for (let index = 0; index < 400; index += 1) subject.request(block(0, (index % 64) * BLOCK));
  await settle();
  expect(sent).toHaveLength(257);
  flush();
  await settle();
  expect(sent).toHaveLength(400);
});

test('a cancelled request is rejected and never sent', async () => {
  const { subject, clock, sent, rejected } = uploads({ rate: BLOCK });
  for (const index of [0, 1, 2]) subject.request(block(index));
  await clock.advance(150);
  subject.cancel(block(1));
  subject.cancel(block(77));
  await clock.advance(5000);
  expect([sent, rejected]).toEqual([[0, 2], [1]]);
});

test('to find that a request was never made not all that were are looked through', () => {
  const { subject, rejected } = uploads({ rate: 1 });
  for (let index = 0; index < REQUEST_QUEUE * 2; index += 1) subject.request(block(index));
  let looks = 0;
  const never = Object.defineProperty(block(0, 1), 'index', { get: () => ((looks += 1), REQUEST_QUEUE) });
  subject.cancel(never);
  expect([looks < 10, rejected]).toEqual([true, []]);
});

test('a block that was asked for twice is taken back once by each cancel, whatever else begins where it does', async () => {
  const { subject, clock, sent, rejected } = uploads({ rate: BLOCK });
  const part = { ...block(1), length: 5 };
  for (const request of [block(0), block(1), part, block(1), block(2)]) subject.request(request);
  subject.cancel(part);
  subject.cancel(block(1));
  subject.cancel(part);
  await clock.advance(5000);
  expect([sent, rejected]).toEqual([
    [0, 1, 2],
    [1, 1],
  ]);
});

test('choking rejects what is queued', async () => {
  const { subject, clock, sent, rejected } = uploads({ rate: BLOCK });
  for (const index of [0, 1, 2]) subject.request(block(index));
  subject.rejectAll();
  await clock.advance(5000);
  expect([sent, rejected]).toEqual([[], [0, 1, 2]]);
});

test('a peer that asks for more than twice its queue is told so', () => {
  const { subject } = uploads({ rate: 1 });
  const answers = Array.from({ length: REQUEST_QUEUE * 2 + 5 }, (_, index) => subject.request(block(index)));
  expect(answers.filter((accepted) => !accepted).length).toBeGreaterThan(0);
});

test('a piece that cannot be read is a failure, and nothing more is sent', async () => {
  const buffers = new PieceBuffers();
  const { subject, sent, failures } = uploads({
    borrow: (index) =>
      index === 1 ? Promise.reject(new Error('gone')) : Promise.resolve(new HeldPiece(buffers.take(BLOCK), buffers, 1)),
  });
  for (const index of [0, 1, 2]) subject.request(block(index));
  await settle();
  expect([sent, failures.length]).toEqual([[0], 1]);
});

test('many connections share what may wait to be sent', async () => {
  const { subject, sent, state, flush } = uploads({ pieceBytes: MIB });
  Object.assign(state, { connections: { all: 500, ofDevice: 1 }, taking: false });
  for (let index = 0; index < 40; index += 1) subject.request(block(0, index * BLOCK));
  await settle();
  expect(sent).toHaveLength(17);
  flush();
  await settle();
  expect(sent.length).toBeGreaterThan(17);
});

test('thirty-two connections of one device have no more waiting together than four of them would', async () => {
  const sentOf = async (links: number): Promise<number> => {
    const all = Array.from({ length: links }, () => uploads({ pieceBytes: MIB }));
    for (const { subject, state } of all) {
      Object.assign(state, { connections: { all: links, ofDevice: links }, taking: false });
      for (let index = 0; index < 400; index += 1) subject.request(block(0, (index % 64) * BLOCK));
    }
    await settle();
    return all.reduce((blocks, { sent }) => blocks + sent.length, 0);
  };
  const [one, four, many] = [await sentOf(1), await sentOf(4), await sentOf(32)];
  expect([one, four]).toEqual([257, 4 * 257]);
  // Each sends one block beyond its share.
  expect(many).toBeLessThanOrEqual(four + 32);
});

test('a peer that asks for one block of each piece and reads nothing does not hold all pieces in memory', async () => {
  const { subject, sent, state, flush } = uploads({ pieceBytes: MIB });
  state.taking = false;
  for (let index = 0; index < 40; index += 1) subject.request(block(index));
  // Another block of a piece that is held costs nothing more.
  subject.request(block(0));
  await settle();
  expect(sent).toHaveLength(8);
  flush();
  await settle();
  expect(sent).toHaveLength(16);
});

/** Gives each piece that is asked for, and knows which of them somebody holds. */
function countedPieces() {
  const held = new Set<HeldPiece>();
  class Piece extends HeldPiece {
    #holders = 1;
    override hold(): this {
      this.#holders += 1;
      return super.hold();
    }
    override letGo(): void {
      this.#holders -= 1;
      if (this.#holders === 0) held.delete(this);
      super.letGo();
    }
  }
  const buffers = new PieceBuffers();
  const borrow = async (): Promise<HeldPiece> => {
    const piece = new Piece(buffers.take(MIB), buffers, 1);
    held.add(piece);
    return piece;
  };
  return { held, borrow };
}

test('a peer that takes each request back while its piece is read does not keep the pieces in memory', async () => {
  const { held, borrow } = countedPieces();
  let finishReading = (): void => undefined;
  const { subject, sent } = uploads({
    borrow: () => new Promise((resolve) => (finishReading = () => resolve(borrow()))),
  });
  subject.request(block(0));
  for (let index = 1; index < 100; index += 1) {
    subject.request(block(index));
    subject.cancel(block(index - 1));
    finishReading();
    await settle();
  }
  expect(sent).toEqual([]);
  expect(held.size).toBeLessThan(10);
  subject[Symbol.dispose]();
});

test('a peer that comes back to each piece only after all others does not keep them all in memory meanwhile', async () => {
  const { held, borrow } = countedPieces();
  const { subject, sent, state } = uploads({ borrow, pieceBytes: MIB });
  let most = 0;
  for (let index = 0; index < 384; index += 1) subject.request(block(index % 128));
  while (sent.length < 384) {
    most = Math.max(most, held.size);
    await Promise.resolve();
  }
  expect(most).toBeLessThan(20);
  state.taking = false;
  for (let index = 0; index < 384; index += 1) subject.request(block(index % 128));
  for (let turn = 0; turn < 50; turn += 1) await settle();
  expect(held.size).toBeLessThan(20);
  subject[Symbol.dispose]();
});

test('the next pieces are read while one is sent, and not for each of many connections', async () => {
  const few = uploads();
  few.state.taking = false;
  for (const index of [0, 1, 2, 3]) few.subject.request(block(index));
  expect(few.read).toEqual([0]);
  const many = uploads({ rate: 1 });
  many.state.connections = { all: 100, ofDevice: 1 };
  for (const index of [0, 1, 2, 3]) many.subject.request(block(index));
  await settle();
  expect(many.read.length).toBeLessThanOrEqual(1);
});

test('memory comes back when the last block of a piece is sent, also when the connection ends before', async () => {
  const { subject, buffers, state, flush } = uploads();
  state.taking = false;
  for (const index of [0, 0, 1, 2, 3]) subject.request(block(index));
  await settle();
  subject[Symbol.dispose]();
  await settle();
  expect(buffers.keptBytes).toBe(0);
  flush();
  expect(buffers.keptBytes).toBe(4 * 4 * BLOCK);
});

test('who asks for several big pieces in turns holds one of them at a time, or all would wait for its memory', async () => {
  const { subject, read, sent, buffers } = uploads({ pieceBytes: 8 * MIB });
  const taken: number[] = [];
  const { take } = buffers;
  buffers.take = (length) => {
    taken.push(length);
    return take.call(buffers, length);
  };
  for (const index of [0, 1, 2, 0, 1, 2]) subject.request(block(index));
  await settle();
  expect(sent).toEqual([0, 1, 2, 0, 1, 2]);
  // Each was let go before the next was read: its memory is that of the next.
  expect([read.length, taken.length, buffers.keptBytes]).toEqual([6, 6, 8 * MIB]);
});
