import { expect, test } from 'vitest';
import { identity, sphere } from '../../test/fixtures/storage-rows.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { parseInfoHash } from '../base/id.ts';
import type { PackRow } from './pack-table.ts';

test('packs of history are listed as they came, with what is known of them', () => {
  using folder = new StorageFolder();
  using storage = folder.open();
  storage.spheres.put(sphere);
  const infoHash = parseInfoHash('1'.repeat(40));
  const pack: PackRow = {
    ...{ infoHash, sphereId: sphere.id, device: identity.device, state: 'fetching', file: 'a.pack' },
    ...{ key: Uint8Array.of(1), metainfo: Uint8Array.of(2), bitfield: null, stored: 0, began: null, atMs: 5 },
  };
  const later: PackRow = { ...pack, infoHash: parseInfoHash('2'.repeat(40)), state: 'given', atMs: 6 };
  storage.packs.put(later);
  storage.packs.put(pack);
  const change = { state: 'storing', bitfield: Uint8Array.of(128), stored: 3 } as const;
  expect(storage.packs.update(infoHash, change)).toBe(true);
  expect(storage.packs.list()).toEqual([{ ...pack, ...change }, later]);
  expect(storage.packs.remove(infoHash)).toBe(true);
  expect(storage.packs.get(infoHash)).toBeUndefined();
});
