import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { comparable } from '../../../test/fixtures/protocol/comparable.ts';
import { isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { VECTORS } from '../../../test/fixtures/protocol/vectors.ts';
import { fromHex, toHex, toUtf8 } from '../../base/bytes.ts';
import type { EventId, SphereId } from '../../base/id.ts';
import { decodeEnvelope, encodeEnvelope } from './envelope.ts';
import { openEphemeral } from './ephemeral.ts';
import { deriveEpochSecrets } from './epoch.ts';
import { parseEvent } from './event.ts';
import { CHUNK_HEAD_BYTES, decodeTicket, PackChunks } from './history-pack.ts';
import { unwrapMediaKey } from './media-key.ts';
import { openSealed } from './seal.ts';
import { computeState } from './sphere-log.ts';
import { openVault } from './vault.ts';
import { parseInfoHash } from '../../base/id.ts';

type Stored<T extends keyof typeof VECTORS> = ReturnType<(typeof VECTORS)[T]>;

function stored<T extends keyof typeof VECTORS>(name: T): Stored<T> {
  const file = new URL(`../../../test/fixtures/protocol/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Stored<T>;
}

function bytes(hex: string): Uint8Array {
  const decoded = fromHex(hex);
  if (decoded === undefined) throw new Error('the vector is not hex');
  return decoded;
}

const packed = ['sealed', 'vault', 'history-pack'];
const exact = Object.keys(VECTORS).filter((name) => !packed.includes(name)) as (keyof typeof VECTORS)[];

test.each(exact)('%s comes out byte for byte as in the test vectors', (name) => {
  expect(JSON.parse(JSON.stringify(VECTORS[name]()))).toEqual(stored(name));
});

test('the stored log parses, has the stored ids and amounts to the stored state', () => {
  const { sphereId, events, state } = stored('log');
  const parsed = events.map(({ text, signature }) => parseEvent(toUtf8(text), bytes(signature)));
  expect(parsed.map((event) => event.id)).toEqual(events.map((event) => event.id));
  const computed = computeState({ sphereId: sphereId as SphereId, isDeviceProven }, parsed.toReversed());
  expect(JSON.parse(comparable(computed))).toEqual(state);
});

test('the stored envelope decodes and encodes to itself', () => {
  const { envelope } = stored('envelope');
  expect(toHex(encodeEnvelope(decodeEnvelope(bytes(envelope))))).toBe(envelope);
});

test('the stored sealed element opens', () => {
  const vector = stored('sealed');
  const context = { sphere: vector.sphere as SphereId, event: vector.event as EventId };
  const entries = openSealed({ messageKey: bytes(vector.messageKey), context }, bytes(vector.sealed));
  expect(toHex(encodeEnvelope(entries))).toBe(vector.envelope);
});

test('the stored history pack opens, each chunk at its place and in its sphere alone', () => {
  const vector = stored('history-pack');
  const { infoHash, key, metainfo } = decodeTicket(bytes(vector.ticket));
  expect([infoHash, toHex(key), toHex(metainfo)]).toEqual([vector.infoHash, vector.key, vector.metainfo]);
  const chunks = new PackChunks({ key, sphereId: vector.sphere as SphereId });
  const sealed = vector.chunks.map((chunk) => bytes(chunk).subarray(CHUNK_HEAD_BYTES));
  expect(vector.chunks.map((chunk) => Number.parseInt(chunk.slice(0, 8), 16))).toEqual(
    sealed.map(({ length }) => length),
  );
  const opened = sealed.map((chunk, index) => chunks.open(index, chunk));
  expect(opened.map(({ isLast }) => isLast)).toEqual([false, true]);
  expect(opened.map(({ entries }) => toHex(encodeEnvelope(entries)))).toEqual(vector.envelopes);
  const [first = new Uint8Array()] = sealed;
  expect(() => chunks.open(1, first)).toThrow('do not open');
  const elsewhere = new PackChunks({ key, sphereId: infoHash.padEnd(64, '0') as SphereId });
  expect(() => elsewhere.open(0, first)).toThrow('do not open');
});

test('the stored vault opens', () => {
  const { recoveryKey, chunks, number, savedAtMs, parts } = stored('vault');
  const opened = openVault(bytes(recoveryKey), chunks.map(bytes));
  const read = opened.parts.map(({ sphereId, envelope }) => ({ sphereId, envelope: toHex(envelope) }));
  expect({ ...opened, parts: read }).toEqual({ number, savedAtMs, parts });
});

test('the stored wrapped key and ephemeral messages open', () => {
  const key = stored('media-key');
  const infoHash = parseInfoHash(key.infoHash);
  const epoch = deriveEpochSecrets(bytes(key.epochKey));
  const mediaKey = unwrapMediaKey({ epoch, infoHash, keyCheck: key.keyCheck }, bytes(key.wrapped));
  expect(toHex(mediaKey)).toBe(key.mediaKey);
  const words = [
    { kind: 'endpoints', ...stored('ephemeral') },
    ...stored('ephemeral-reach'),
    ...stored('ephemeral-fetching'),
    ...stored('ephemeral-metainfo'),
    ...stored('ephemeral-probe'),
    ...stored('ephemeral-log'),
    ...stored('ephemeral-have'),
    ...stored('ephemeral-packs'),
  ];
  for (const { sphere, epoch: epochId, device, counter, kind, body, epochKey, sealed } of words) {
    const context = { sphere: sphere as SphereId, epoch: epochId as EventId };
    const opened = openEphemeral(
      { context, epoch: deriveEpochSecrets(bytes(epochKey)), lastCounter: () => -1 },
      bytes(sealed),
    );
    expect(opened).toEqual({ kind, body, device, counter });
  }
});
