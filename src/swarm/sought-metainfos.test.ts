import { createHash } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { parseInfoHash, parseSphereId } from '../base/id.ts';
import { sendMetainfo } from '../torrent/metainfo-exchange.ts';
import { SoughtMetainfos } from './sought-metainfos.ts';

const [family, choir] = [parseSphereId('5'.repeat(64)), parseSphereId('6'.repeat(64))];
const infoHash = parseInfoHash('1'.repeat(40));
const never = new AbortController().signal;
const genuine = new Uint8Array(50_000).fill(7);
const request = {
  sphereId: family,
  infoHash,
  sha256: new Uint8Array(createHash('sha256').update(genuine).digest()),
  maxBytes: genuine.length,
};

async function bring(sought: SoughtMetainfos, metainfo: Uint8Array, sphereId = family): Promise<unknown> {
  const [theirs, ours] = duplexPair();
  void sendMetainfo(theirs, metainfo, never).catch(() => undefined);
  return await sought.take({ sphereId, infoHash }, ours, never).then(
    () => 'taken',
    (error: unknown) => (error as { code?: string }).code,
  );
}

test('the right metainfo ends the search of everybody who waits for it; wrong and longer ones end nothing', async () => {
  const sought = new SoughtMetainfos();
  using first = sought.seek(request);
  using second = sought.seek(request);
  expect(await bring(sought, genuine.slice().fill(8))).toBe('forged');
  expect(await bring(sought, new Uint8Array(genuine.length + 1))).toBe('too-large');
  expect(await bring(sought, genuine)).toBe('taken');
  expect(await Promise.all([first.brought, second.brought])).toEqual([genuine, genuine]);
});

test('nothing is taken for another sphere, and nothing that is not sought any more', async () => {
  const sought = new SoughtMetainfos();
  {
    using search = sought.seek(request);
    expect(search.brought).toBeInstanceOf(Promise);
    expect([sought.has(family, infoHash), sought.has(choir, infoHash)]).toEqual([true, false]);
    expect(await bring(sought, genuine, choir)).toBe('not-allowed');
  }
  expect(sought.has(family, infoHash)).toBe(false);
  expect(await bring(sought, genuine)).toBe('not-allowed');
});
