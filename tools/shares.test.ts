import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { SHARES, divideTime, shareRows } from './shares.mjs';

const ROOT = path.resolve('/clone');
const file = (
  name: string,
  startTime: number,
  endTime: number,
): { name: string; startTime: number; endTime: number } => {
  return { name: path.join(ROOT, ...name.split('/')), startTime, endTime };
};

describe('the time of each purpose of the tests', () => {
  test('files that ran side by side divide the time on the clock by how long each took', () => {
    const files = [file('test/netlab/matrix.test.ts', 1_000, 5_000), file('src/torrent/picker.test.ts', 1_000, 3_000)];
    const shares = divideTime([{ ms: 9_000, files }], ROOT);
    expect(shares.get('reach')).toBeCloseTo((4_000 * 4) / 6);
    expect(shares.get('swarm')).toBeCloseTo((4_000 * 2) / 6);
    expect(shares.get('main job')).toBe(5_000);
  });

  test('the purposes together are the whole run', () => {
    const files = [
      file('src/xmpp/a.test.ts', 0, 700),
      file('test/sim/b.test.ts', 100, 900),
      file('src/ui/c.test.ts', 0, 50),
    ];
    const shares = divideTime(
      [
        { ms: 2_000, files },
        { ms: 500, files: [] },
      ],
      ROOT,
    );
    expect([...shares.values()].reduce((total, ms) => total + ms, 0)).toBeCloseTo(2_500);
  });

  test.each([
    ['swarm', 'test/integration/engine-kill.test.ts'],
    ['swarm', 'test/integration/swarm-greedy.test.ts'],
    ['swarm', 'test/integration/swarm-disk-full.test.ts'],
    ['swarm', 'test/integration/swarm-process.test.ts'],
    ['swarm', 'test/integration/swarm-public.test.ts'],
    ['conversation', 'test/integration/engine-account.test.ts'],
    ['conversation', 'test/integration/engine-hostile.test.ts'],
    ['conversation', 'test/integration/engine-secrecy.test.ts'],
    ['conversation', 'test/integration/xmpp-room.test.ts'],
    ['conversation', 'src/engine/search/history-search.test.ts'],
    ['conversation', 'src/base/xmpp-uri.test.ts'],
    ['main job', 'test/integration/engine-main-job.test.ts'],
  ])('%s counts %s as its own', (purpose, name) => {
    const shares = divideTime([{ ms: 1_000, files: [file(name, 0, 1_000)] }], ROOT);
    expect(shares.get(purpose)).toBe(1_000);
  });

  test('a purpose over its budget is warned about', () => {
    const shares = new Map(
      SHARES.map(({ name, budgetSeconds }, index) => [name, budgetSeconds * 1000 + (index === 0 ? 1 : 0)]),
    );
    const results = shareRows(shares).map((row) => row.at(-1));
    expect(results).toEqual(['result', 'WARNING: over its budget', 'ok', 'ok', 'ok', 'ok']);
  });

  test('the budgets of all purposes together stay within half an hour', () => {
    expect(SHARES.reduce((total, share) => total + share.budgetSeconds, 0)).toBeLessThanOrEqual(1_800);
  });

  test('a purpose names files that are there', () => {
    const folder = path.join(import.meta.dirname, '..');
    const names = ['src', 'test'].flatMap((top) =>
      readdirSync(path.join(folder, top), { recursive: true, encoding: 'utf8' }).map((name) =>
        path.posix.join(top, name),
      ),
    );
    const tests = names.filter((name) => name.endsWith('.test.ts'));
    for (const share of SHARES)
      expect([share.name, tests.some((name) => share.files.test(name))]).toEqual([share.name, true]);
  });
});
