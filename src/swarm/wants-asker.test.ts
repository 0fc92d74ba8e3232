import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseInfoHash, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { receiveWants } from '../torrent/wants-exchange.ts';
import { WantsAsker, type WantsAskerDeps } from './wants-asker.ts';

const sphereId = parseSphereId('5'.repeat(64));
const hash = (digit: string) => parseInfoHash(digit.repeat(40));
const { signal } = new AbortController();

/** A torrent that is fetched, and whether each of the connected full copies gives nothing. */
function fetched(digit: string, ...barren: boolean[]) {
  const links = barren.map((isBarren) => ({ isBarren }));
  return { spec: { sphereId, infoHash: hash(digit) }, appetite: 'eager' as const, length: 1, links, bytesOf: () => 1 };
}

async function told(...active: ReturnType<WantsAskerDeps['active']>[]): Promise<string[]> {
  const asker = new WantsAsker({
    clock: new VirtualClock(0),
    log: silentLogger,
    active: () => active.flatMap((torrents) => Array.from(torrents)),
    onWants: () => undefined,
    spawn: () => undefined,
  });
  const [ours, theirs] = duplexPair();
  const [wants] = await Promise.all([receiveWants(theirs, signal), asker.answer(ours, sphereId, signal)]);
  return wants;
}

test('a member that says it has all of it and gives nothing does not keep away those who would', async () => {
  expect(await told([fetched('a', true), fetched('b'), fetched('c', true, true)])).toEqual(['a', 'b', 'c'].map(hash));
});

test('what a full copy gives is not asked of others, nor what is here or of another sphere', async () => {
  const elsewhere = { ...fetched('d'), spec: { sphereId: parseSphereId('6'.repeat(64)), infoHash: hash('d') } };
  const here = { ...fetched('e'), appetite: 'lazy' as const };
  expect(await told([fetched('a', false), fetched('b', true, false), elsewhere, here])).toEqual([]);
});
