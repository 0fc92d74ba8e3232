import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { NetworkLab, whyNoLab } from './network-lab.ts';
import { RELAY, startRelay } from './relay.ts';
import { RtcPair } from './rtc-pair.ts';

const reason = (await whyNoLab()) ?? missingPrograms('turnserver');
if (reason !== undefined) console.warn(`SKIPPED: WebRTC in the laboratory: ${reason}`);

const FUZZ = path.join(import.meta.dirname, 'rtc-fuzz.ts');
const LONG = process.env['SPHERECAST_LONG'] === '1';
const CONNECTIONS = LONG ? 200 : 80;
const MIB = 2 ** 20;

async function quit(pair: RtcPair): Promise<unknown[]> {
  return await Promise.all([pair.near.quit(), pair.far.quit()]);
}

describe.skipIf(reason !== undefined)('WebRTC between two homes', () => {
  const cells: [string, string, string, RegExp][] = [
    ['cone', 'cone', 'directly', /^direct 11\.22\.33\.\d+:\d+$/],
    ['symmetric', 'open', 'directly', /^direct 11\.22\.33\.\d+:\d+$/],
    ['symmetric', 'symmetric', 'over the relay', /^relay 11\.22\.33\.\d+:\d+$/],
  ];
  test.each(cells)('%s and %s connect %s, and bytes arrive whole', async (a, b, _, expected) => {
    await using lab = await NetworkLab.start({ a, b });
    await using relay = await startRelay(lab);
    expect(relay.child.exitCode).toBeNull();
    const pair = new RtcPair(lab, ['a1', 'b1'], RELAY);
    pair.near.call({ call: 'send', bytes: 8 * MIB });
    expect((await pair.far.hear('received')).bytes).toBe(8 * MIB);
    await pair.near.hear('sent');
    // A relay may be first; the direct path takes over as soon as it is found.
    const path = (): string | null | undefined => pair.near.heard.findLast((answer) => answer.kind === 'state')?.path;
    await expect.poll(path, { timeout: 30_000 }).toMatch(expected);
    expect(await quit(pair)).toEqual([0, 0]);
  });

  test('a reader that pauses stops the sender, and costs no more memory than its window', async () => {
    await using lab = await NetworkLab.start({ a: 'open', b: 'open' });
    const pair = new RtcPair(lab, ['a1', 'b1']);
    pair.far.call({ call: 'read', on: false });
    pair.far.call({ call: 'memory' });
    const before = (await pair.far.hear('memory')).rss;
    pair.near.call({ call: 'send', bytes: 256 * MIB });
    await pair.far.hear('state', ({ state }) => state === 'connected');
    await delay(1_500);
    pair.far.call({ call: 'memory' });
    expect((await pair.far.hear('memory')).rss - before).toBeLessThan(48 * MIB);
    expect(pair.near.heard.filter(({ kind }) => kind === 'sent')).toEqual([]);
    pair.far.call({ call: 'read', on: true });
    expect((await pair.far.hear('received')).bytes).toBe(256 * MIB);
    expect(await quit(pair)).toEqual([0, 0]);
  });

  test(`${CONNECTIONS} connections leave nothing in memory, and the processes end cleanly`, async () => {
    await using lab = await NetworkLab.start({ a: 'open', b: 'open' });
    const pair = new RtcPair(lab, ['a1', 'b1']);
    const cycle = async (times: number): Promise<{ failed: number; memory: number[] }> => {
      pair.near.call({ call: 'cycle', times });
      const { failed } = await pair.near.hear('cycled');
      const memory: number[] = [];
      for (const peer of [pair.near, pair.far]) {
        peer.call({ call: 'memory' });
        memory.push((await peer.hear('memory')).rss);
      }
      return { failed, memory };
    };
    const before = await cycle(LONG ? 100 : 50);
    const after = await cycle(CONNECTIONS);
    expect(before.failed + after.failed).toBe(0);
    for (const [index, rss] of after.memory.entries()) {
      expect(rss - (before.memory[index] ?? 0)).toBeLessThan(16 * MIB);
    }
    expect(await quit(pair)).toEqual([0, 0]);
  });

  test('many streams one after the other get numbers that the other side has forgotten', async () => {
    await using lab = await NetworkLab.start({ a: 'open', b: 'open' });
    const pair = new RtcPair(lab, ['a1', 'b1']);
    for (let count = 0; count < 100; count += 1) {
      pair.near.call({ call: 'send', bytes: 100_000 });
      expect((await pair.far.hear('received')).bytes).toBe(100_000);
      await pair.near.hear('sent');
    }
    expect(await quit(pair)).toEqual([0, 0]);
  });

  test('twenty processes end in the middle of a transfer, and none crashes', async () => {
    await using lab = await NetworkLab.start({ a: 'open', b: 'open' });
    for (let count = 0; count < 10; count += 1) {
      const pair = new RtcPair(lab, ['a1', 'b1']);
      pair.near.call({ call: 'send', bytes: 512 * MIB });
      await pair.far.hear('state', ({ state }) => state === 'connected');
      await delay(100);
      expect(await quit(pair)).toEqual([0, 0]);
    }
  });

  test('mutated descriptions and candidates do not crash the library', async () => {
    await using lab = await NetworkLab.start({ a: 'open' });
    const { fed, refused } = JSON.parse(await lab.exec('a1', process.execPath, FUZZ, LONG ? '30000' : '3000')) as {
      fed: number;
      refused: number;
    };
    expect(Math.min(fed, refused)).toBeGreaterThan(10);
  });
});
