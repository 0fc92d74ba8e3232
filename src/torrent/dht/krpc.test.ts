import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { errorCode } from '../../base/errors.ts';
import { decode, encode } from '../bencode/bencode.ts';
import { encodeQuery, LARGEST_DATAGRAM, parseMessage } from './krpc.ts';

const latin = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const ID = new Uint8Array(20).fill(7);
const refused = expect.objectContaining({ code: 'bad-input' });

function outcome(bytes: Uint8Array): string {
  try {
    return parseMessage(bytes).kind;
  } catch (error) {
    return errorCode(error);
  }
}

/** As a node answers, with these fields in place of the usual ones. */
function answer(fields: Record<string, unknown>): Uint8Array {
  return encode({ r: { id: ID, ...fields }, t: latin('abcd'), y: 'r' });
}

function reply(fields: Record<string, unknown>) {
  const message = parseMessage(answer(fields));
  if (message.kind !== 'reply') throw new Error(message.kind);
  return message.reply;
}

test('a question has the fields of BEP 5, and says that we answer none', () => {
  const infoHash = new Uint8Array(20).fill(9);
  const bytes = encodeQuery(latin('tttt'), ID, { method: 'announce_peer', infoHash, token: latin('tok'), port: 6881 });
  expect(decode(bytes)).toMatchObject({
    a: { id: ID, info_hash: infoHash, implied_port: 0, port: 6881, token: new Uint8Array(latin('tok')) },
    ro: 1,
    t: new Uint8Array(latin('tttt')),
  });
});

test('nodes and peers of both families are read as they stand there', () => {
  const node = Buffer.concat([Buffer.alloc(20, 3), Buffer.from([203, 0, 113, 5, 0x1a, 0xe1])]);
  const six = Buffer.concat([Buffer.from('20010db8000000000000000000000001', 'hex'), Buffer.from([0, 80])]);
  const values = [Buffer.from([203, 0, 113, 9, 0, 80]), six];
  expect(reply({ nodes: node, values, token: latin('tok') })).toEqual({
    id: ID,
    nodes: [{ id: new Uint8Array(20).fill(3), host: '203.0.113.5', port: 6881 }],
    peers: ['203.0.113.9:80', '[2001:0db8:0000:0000:0000:0000:0000:0001]:80'],
    token: new Uint8Array(latin('tok')),
  });
});

test('thousands of nodes and floods of peers are cut to what a node needs to say', () => {
  const nodes = Buffer.alloc(26 * 60, 1);
  expect(reply({ nodes }).nodes).toHaveLength(16);
  const values = Array.from({ length: 200 }, (_, index) => Buffer.from([203, 0, 113, index, 0, 80]));
  expect(reply({ values }).peers).toHaveLength(50);
  expect(reply({ token: new Uint8Array(500) }).token).toBeNull();
});

test('lists of the wrong kind, and of lengths that are none, are read as empty', () => {
  for (const nodes of [1, 'short', [latin('x')], {}]) expect(reply({ nodes }).nodes).toEqual([]);
  for (const values of [7, 'x', [1, [], {}, 'short'], {}]) expect(reply({ values }).peers).toEqual([]);
});

for (const [what, bytes] of Object.entries({
  nothing: latin(''),
  'no bencode': latin('hello'),
  'half a dictionary': latin('d1:t4:abcd1:y1:r'),
  'a list': latin('le'),
  'no kind': encode({ t: 'abcd' }),
  'an unknown kind': encode({ t: 'abcd', y: 'z' }),
  'no number': encode({ y: 'r', r: { id: ID } }),
  'a number of another length': encode({ y: 'r', t: 'ab', r: { id: ID } }),
  'an answer that is a number': encode({ y: 'r', t: 'abcd', r: 1 }),
  'an id that is a number': encode({ y: 'r', t: 'abcd', r: { id: 5 } }),
  'too many bytes': encode({ y: 'r', t: 'abcd', r: { id: ID, x: new Uint8Array(LARGEST_DATAGRAM) } }),
})) {
  test(`${what} is refused as an answer`, () => {
    expect(() => parseMessage(bytes)).toThrow(refused);
  });
}

test('bytes of any kind end in a message or a refusal', () => {
  const usual = answer({ nodes: Buffer.alloc(52, 1), values: [Buffer.alloc(6, 1)], token: 'tok' });
  const damaged = fc.tuple(fc.nat(usual.length - 1), fc.nat(255)).map(([at, byte]) => {
    const bytes = Uint8Array.from(usual);
    bytes[at] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged), (bytes) => {
      expect(['reply', 'refusal', 'question', 'bad-input']).toContain(outcome(bytes));
    }),
    { numRuns: fuzzRuns(1_000) },
  );
});
