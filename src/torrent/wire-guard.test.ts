import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import Wire from 'bittorrent-protocol';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { failureOf } from '../../test/fixtures/failure.ts';
import { encode } from './bencode/bencode.ts';
import type { PeerCapacity } from './block-requests.ts';
import type { WireGeometry } from './wire-guard.ts';
import { dispatchMessage, OUR_HANDSHAKE, readCapacity } from './wire-guard.ts';
import { PeerWire } from './webtorrent-inside.ts';

const geometry: WireGeometry = { pieceCount: 10, pieceSize: (index) => (index === 9 ? 20_000 : 32_768) };

/** What the tests look at of a wire of bittorrent-protocol. */
interface Inside extends EventEmitter {
  readonly peerExtendedHandshake: object;
  readonly peerExtendedMapping: object;
  readonly peerPieces: { get(index: number): boolean };
  handshake(infoHash: string, peerId: string, extensions: { fast: boolean }): void;
  destroy(): void;
}

/** A wire as connections have it, after the handshakes. */
class GuardedWire {
  readonly inside: Inside;
  readonly sent: Uint8Array[] = [];
  readonly #wire: PeerWire;

  constructor(capacity: PeerCapacity = { queue: 250, block: 16_384 }) {
    const wire = new Wire('webrtc', 0) as ConstructorParameters<typeof PeerWire>[1];
    this.inside = wire as unknown as Inside;
    this.#wire = new PeerWire(Object.assign(new EventEmitter(), { id: '1', wire, destroyed: false }) as never, wire);
    const nothing = (): void => undefined;
    const about = { onRequest: nothing, onCancel: nothing, onReject: nothing, onChoked: nothing };
    this.#wire.takeOver(
      {
        ...{ ...about, onPieces: nothing, onHave: nothing, onChoking: nothing },
        send: (bytes) => this.sent.push(bytes) > 0,
        onExtended: (extension, bytes) => extension === 0 && readCapacity(bytes, capacity),
      },
      OUR_HANDSHAKE,
    );
    this.inside.handshake('a'.repeat(40), 'b'.repeat(40), { fast: true });
    const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 4]);
    this.#wire.handshake(Buffer.concat([Buffer.from('BitTorrent protocol'), reserved, Buffer.alloc(40, 1)]));
    this.sent.length = 0;
  }

  dispatch(message: Uint8Array): void {
    dispatchMessage(this.#wire, message, geometry);
  }
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
  const wire = new GuardedWire();
  expect(failureOf(() => wire.dispatch(extended(payload)))).toBeOneOf([null, 'bad-input']);
  expect(wire.inside.peerExtendedHandshake).toEqual({});
});

test('only what a peer keeps is read of its extended handshake, within what is sensible', () => {
  const read = (given: { reqq?: number; block?: number }): PeerCapacity => {
    const capacity = { queue: 250, block: 16_384 };
    const wire = new GuardedWire(capacity);
    wire.dispatch(extended(encode({ ...given, m: { ut_metadata: 1, ut_pex: 2 }, metadata_size: 100 })));
    expect([wire.inside.peerExtendedHandshake, wire.inside.peerExtendedMapping]).toEqual([{}, {}]);
    return capacity;
  };
  expect(read({ reqq: 77, block: 65_536 })).toEqual({ queue: 77, block: 65_536 });
  expect(read({})).toEqual({ queue: 250, block: 16_384 });
  expect(read({ reqq: 1_000_000, block: 10_000_000 })).toEqual({ queue: 2000, block: 131_072 });
  expect(read({ reqq: -1, block: 1 })).toEqual({ queue: 250, block: 16_384 });
});

test('messages of extensions are ignored: metadata is neither given nor taken', () => {
  const wire = new GuardedWire();
  wire.dispatch(Buffer.concat([Buffer.from([20, 1]), encode({ msg_type: 0, piece: 0 })]));
  wire.dispatch(Buffer.from([20]));
  expect(wire.sent).toEqual([]);
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
  expect(() => new GuardedWire().dispatch(message)).toThrowError(expect.objectContaining({ code: 'bad-input' }));
});

test('a proper bitfield and have arrive', () => {
  const wire = new GuardedWire();
  wire.dispatch(Buffer.from([5, 0x80, 0x40]));
  wire.dispatch(numbers(4, 3));
  const held = Array.from({ length: 10 }, (_, piece) => piece).filter((piece) => wire.inside.peerPieces.get(piece));
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
      const wire = new GuardedWire();
      wire.inside.on('error', () => undefined);
      for (const bytes of messages) {
        expect(failureOf(() => wire.dispatch(bytes))).toBeOneOf([null, 'bad-input']);
      }
      wire.inside.destroy();
    }),
    { numRuns: fuzzRuns(2_000) },
  );
}, 60_000);
