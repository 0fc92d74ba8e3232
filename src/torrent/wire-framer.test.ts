import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { failureOf } from '../../test/fixtures/failure.ts';
import { WireFramer } from './wire-framer.ts';

const handshake = Buffer.concat([Buffer.from('\u0013BitTorrent protocol', 'latin1'), Buffer.alloc(48, 7)]);

function frame(message: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}

function collect(pieceCount = 8) {
  const messages: string[] = [];
  let handshakes = 0;
  const framer = new WireFramer({
    pieceCount,
    onHandshake: () => {
      handshakes += 1;
    },
    onMessage: (bytes) => void messages.push(Buffer.from(bytes).toString('hex')),
  });
  return { framer, messages, handshakes: () => handshakes };
}

/** Cuts bytes at the given points. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = Array.from(new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])).toSorted(
    (a, b) => a - b,
  );
  return points.slice(1).map((end, index) => bytes.subarray(points[index], end));
}

test('messages come out the same however the stream was cut', () => {
  const message = fc.uint8Array({ maxLength: 60 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), fc.array(fc.nat(2000), { maxLength: 30 }), (sent, cuts) => {
      const stream = Buffer.concat([handshake, ...sent.map(frame)]);
      const { framer, messages, handshakes } = collect();
      for (const chunk of split(stream, cuts)) framer.push(chunk);
      expect(handshakes()).toBe(1);
      expect(messages).toEqual(
        sent.filter(({ length }) => length > 0).map((bytes) => Buffer.from(bytes).toString('hex')),
      );
    }),
    { numRuns: fuzzRuns(1000) },
  );
});

test('a stream that does not begin with the handshake is refused', () => {
  const { framer } = collect();
  expect(() => framer.push(Buffer.alloc(68, 19))).toThrow('not the BitTorrent protocol');
});

test('a length that no message of this torrent can have is refused before it is waited for', () => {
  const { framer } = collect();
  framer.push(handshake);
  expect(() => framer.push(Buffer.from([0x80, 0, 0, 1]))).toThrow('too long');
});

test('a bitfield of a large torrent fits', () => {
  const bitfield = Buffer.alloc(1 + 200_000, 5);
  const { framer, messages } = collect(1_600_000);
  framer.push(handshake);
  framer.push(frame(bitfield));
  expect(messages).toHaveLength(1);
});

test('arbitrary bytes are cut into messages or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, shaken) => {
      const { framer } = collect();
      if (shaken) framer.push(handshake);
      expect(failureOf(() => framer.push(Buffer.from(bytes)))).toBeOneOf([null, 'bad-input']);
    }),
    { numRuns: 20_000 },
  );
});
