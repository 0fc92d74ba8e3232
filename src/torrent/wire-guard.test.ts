import fc from 'fast-check';
import PeerWire from 'bittorrent-protocol';
import type { Wire } from 'webtorrent';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { failureOf } from '../../test/fixtures/failure.ts';
import { encode } from './bencode/bencode.ts';
import type { PeerCapacity } from './block-requests.ts';
import type { WireGeometry } from './wire-guard.ts';
import { disarmExtensions, dispatchMessage } from './wire-guard.ts';

const geometry: WireGeometry = { pieceCount: 10, pieceSize: (index) => (index === 9 ? 20_000 : 32_768) };

function newWire(capacity: PeerCapacity = { queue: 250, block: 16_384 }): Wire {
  const wire = new PeerWire('webrtc', 0);
  disarmExtensions(wire, capacity);
  wire.handshake('a'.repeat(40), 'b'.repeat(40), { fast: true });
  wire._onHandshakeBuffer(
    Buffer.concat([Buffer.from('BitTorrent protocol'), Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 4]), Buffer.alloc(40, 1)]),
  );
  return wire;
}

function extended(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([20, 0]), payload]);
}

function numbers(id: number, ...values: number[]): Buffer {
  const message = Buffer.alloc(1 + values.length * 4);
  message[0] = id;
  for (const [index, value] of values.entries()) message.writeUInt32BE(value, 1 + index * 4);
  return message;
}

test.each([
  ['ext_negdict', Buffer.from('d-3:')],
  ['ext_neglist', Buffer.from('l-3:e')],
  ['ext_m_tostring', Buffer.from('d1:md6:ut_pexd8:toString1:xeee')],
  ['ext_empty', Buffer.alloc(0)],
  ['ext_list', Buffer.from('le')],
  ['ext_deep', Buffer.from('l'.repeat(3000) + 'e'.repeat(3000))],
  ['ext_long', Buffer.concat([Buffer.from('d1:a4096:'), Buffer.alloc(4096), Buffer.from('e')])],
])('the extended handshake %s is refused or ignored, and never thrown as anything else', (_name, payload) => {
  const wire = newWire();
  expect(failureOf(() => dispatchMessage(wire, extended(payload), geometry))).toBeOneOf([null, 'bad-input']);
  expect(wire.peerExtendedHandshake).toEqual({});
});

test('only what a peer keeps is read of its extended handshake, within what is sensible', () => {
  const read = (given: { reqq?: number; block?: number }): PeerCapacity => {
    const capacity = { queue: 250, block: 16_384 };
    const wire = newWire(capacity);
    dispatchMessage(
      wire,
      extended(encode({ ...given, m: { ut_metadata: 1, ut_pex: 2 }, metadata_size: 100 })),
      geometry,
    );
    expect([wire.peerExtendedHandshake, wire['peerExtendedMapping']]).toEqual([{}, {}]);
    return capacity;
  };
  expect(read({ reqq: 77, block: 65_536 })).toEqual({ queue: 77, block: 65_536 });
  expect(read({})).toEqual({ queue: 250, block: 16_384 });
  expect(read({ reqq: 1_000_000, block: 10_000_000 })).toEqual({ queue: 2000, block: 131_072 });
  expect(read({ reqq: -1, block: 1 })).toEqual({ queue: 250, block: 16_384 });
});

test('messages of extensions are ignored: metadata is neither given nor taken', () => {
  const wire = newWire();
  const sent: unknown[] = [];
  wire.push = (chunk) => sent.push(chunk) > 0;
  dispatchMessage(wire, Buffer.concat([Buffer.from([20, 1]), encode({ msg_type: 0, piece: 0 })]), geometry);
  dispatchMessage(wire, Buffer.from([20]), geometry);
  expect(sent).toEqual([]);
});

test.each([
  ['a piece that does not exist', numbers(4, 10)],
  ['a request beyond its piece', numbers(6, 9, 16_384, 16_384)],
  ['a request of nothing', numbers(6, 0, 0, 0)],
  ['a request of more than 128 KiB', numbers(6, 0, 0, 200_000)],
  ['a negative piece', numbers(6, 0xff_ff_ff_ff, 0, 16_384)],
  ['a block without data', numbers(7, 0, 0)],
  ['a truncated choke', Buffer.from([0, 1])],
  ['a short bitfield', Buffer.from([5, 0xff])],
  ['a bitfield with spare bits', Buffer.from([5, 0xff, 0xff])],
])('%s ends the connection', (_name, message) => {
  expect(() => dispatchMessage(newWire(), message, geometry)).toThrowError(
    expect.objectContaining({ code: 'bad-input' }),
  );
});

test('a proper bitfield and have arrive', () => {
  const wire = newWire();
  dispatchMessage(wire, Buffer.from([5, 0x80, 0x40]), geometry);
  dispatchMessage(wire, numbers(4, 3), geometry);
  const held = Array.from({ length: 10 }, (_, piece) => piece).filter((piece) => wire.peerPieces.get(piece));
  expect(held).toEqual([0, 3, 9]);
});

test('arbitrary messages are taken, ignored or refused as bad input', () => {
  const message = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 80 }),
    fc.uint8Array({ maxLength: 40 }).map((payload) => extended(payload)),
    fc
      .tuple(fc.integer({ min: 0, max: 21 }), fc.array(fc.integer({ min: 0, max: 0xff_ff_ff_ff }), { maxLength: 4 }))
      .map(([id, values]) => numbers(id, ...values)),
  );
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), (messages) => {
      const wire = newWire();
      wire.on('error', () => undefined);
      for (const bytes of messages) {
        expect(failureOf(() => dispatchMessage(wire, bytes, geometry))).toBeOneOf([null, 'bad-input']);
      }
      wire.destroy();
    }),
    { numRuns: fuzzRuns(2_000) },
  );
}, 60_000);
