import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { errorCode } from '../base/errors.ts';
import { decode, encode } from './bencode/bencode.ts';
import { encodeExchange, parseExchange, PeerExchange } from './peer-exchange.ts';

const refused = expect.objectContaining({ code: 'bad-input' });
function outcome(bytes: Uint8Array): string {
  try {
    return parseExchange(bytes).added.length <= 50 ? 'read' : 'too many';
  } catch (error) {
    return errorCode(error);
  }
}

const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `198.51.100.${index}:80`);

/** What the exchange uses of a wire. */
class FakeWire {
  readonly sent: Uint8Array[] = [];
  extendedHandshake: Record<string, unknown> = { reqq: 250 };
  extendedMapping: Record<string, string> = {};

  offer(mapping: Record<string, string>, more: Record<string, unknown>): void {
    this.extendedMapping = mapping;
    this.extendedHandshake = { ...this.extendedHandshake, ...more };
  }

  send(message: Uint8Array): void {
    this.sent.push(message);
  }
}

function talk(calledAt: string | null = null) {
  const clock = new VirtualClock();
  const wire = new FakeWire();
  const found: string[] = [];
  const exchange = new PeerExchange({
    clock,
    port: 7000,
    calledAt,
    host: '198.51.100.7',
    onPeer: (at) => found.push(at),
  });
  exchange.arm(wire);
  const greet = (handshake: Record<string, unknown>): void => exchange.receive(0, encode(handshake));
  const last = () => parseExchange((wire.sent.at(-1) ?? new Uint8Array()).subarray(6));
  return { clock, wire, found, exchange, greet, last };
}

test('what is written is read back, of both families, and no more than fifty each way', () => {
  const added = ['198.51.100.1:6881', '[2001:db8::1]:443'];
  const read = parseExchange(encodeExchange({ added, dropped: ['198.51.100.2:1'] }));
  expect(read.added).toEqual(['198.51.100.1:6881', '[2001:0db8:0000:0000:0000:0000:0000:0001]:443']);
  expect(read.dropped).toEqual(['198.51.100.2:1']);
  const raw = decode(encodeExchange({ added, dropped: [] }));
  expect(raw).toMatchObject({ 'added.f': new Uint8Array([0x10]), 'added6.f': new Uint8Array([0x10]) });
  expect(parseExchange(encodeExchange({ added: many(80), dropped: many(80) }))).toMatchObject({
    added: { length: 50 },
    dropped: { length: 50 },
  });
  const flood = encode({ added: Buffer.alloc(6 * 300, 1), added6: Buffer.alloc(18 * 60, 1) });
  expect(parseExchange(flood).added).toHaveLength(50);
});

test('lists that are none are empty; what is no dictionary or too long is refused', () => {
  expect(parseExchange(encode({ added: 'short', dropped: 5, added6: [] }))).toEqual({ added: [], dropped: [] });
  for (const bytes of [encode([]), Buffer.from('hello'), encode({ added: Buffer.alloc(6000) })]) {
    expect(() => parseExchange(bytes)).toThrow(refused);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(['read', 'bad-input']).toContain(outcome(bytes));
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('who came and who left is told once a minute, and only to whoever knows the extension', () => {
  const { clock, wire, exchange, greet, last } = talk();
  expect(wire.extendedMapping).toEqual({ 1: 'ut_pex' });
  expect(wire.extendedHandshake).toEqual({ reqq: 250, p: 7000 });
  exchange.tell(many(2));
  expect(wire.sent).toEqual([]);
  greet({ m: { ut_pex: 4 }, p: 6881 });
  expect(exchange.endpoint).toBe('198.51.100.7:6881');
  exchange.tell([...many(2), '198.51.100.7:6881']);
  expect(wire.sent[0]?.subarray(4, 6)).toEqual(Buffer.from([20, 4]));
  expect(last()).toEqual({ added: many(2), dropped: [] });
  exchange.tell(many(3));
  expect(wire.sent).toHaveLength(1);
  return clock.advance(60_000).then(() => {
    exchange.tell(many(3).slice(1));
    expect(last()).toEqual({ added: ['198.51.100.2:80'], dropped: ['198.51.100.0:80'] });
    greet({ m: { ut_pex: 0 } });
  });
});

test('more than fifty are told in several minutes, and each is', async () => {
  const { clock, exchange, greet, last } = talk('198.51.100.7:9');
  greet({ m: { ut_pex: 4 } });
  exchange.tell(many(70));
  expect(last().added).toHaveLength(50);
  await clock.advance(60_000);
  exchange.tell(many(70));
  expect(last().added).toEqual(many(70).slice(50));
});

test('who tells of others without pause is let go, and what it names too soon is not called', async () => {
  const { clock, exchange, found } = talk();
  const tell = (at: string): void => exchange.receive(1, encodeExchange({ added: [at], dropped: [] }));
  tell('198.51.100.1:1');
  await clock.advance(60_000);
  tell('198.51.100.1:2');
  for (let count = 0; count < 5; count += 1) tell(`198.51.100.2:${count + 1}`);
  expect(() => tell('198.51.100.3:1')).toThrow(refused);
  expect(found).toEqual(['198.51.100.1:1', '198.51.100.1:2', '198.51.100.2:1']);
});
