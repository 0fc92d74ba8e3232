import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { runCarried } from './carried.ts';
import type { Cell, CellResult } from './cell.ts';
import { runCell } from './cell.ts';
import { CARRIED, CELL_GROUPS, DISTURBANCES, LATE_FETCHES } from './cells.ts';
import { runDisturbed } from './disturbed.ts';
import { runLateFetch } from './late-fetch.ts';
import { whyNoLab } from './network-lab.ts';

const reason = (await whyNoLab()) ?? missingPrograms('prosody', 'openssl', 'turnserver');
if (reason !== undefined) console.warn(`SKIPPED: members in homes: ${reason}`);

const isLong = process.env['SPHERECAST_LONG'] === '1';
const ROUNDS = isLong ? 5 : 1;
/** The bars are for medians of five; a single meeting on a busy machine takes many times as long, and is not what is judged. */
const LENIENCE = isLong ? 1 : 10;
const LIMIT_MS = 300_000;
const cells = CELL_GROUPS.flatMap((group) =>
  (isLong ? group.cells : group.cells.slice(0, group.quick)).map((cell) => [named(cell), cell] as const),
);
const carried = isLong ? CARRIED : CARRIED.slice(0, 1);
const disturbances = isLong ? DISTURBANCES : [];
const lateFetches = isLong ? LATE_FETCHES : [];
const rows: string[] = [];
const pauses: string[] = [];
const waits: string[] = [];

describe.skipIf(reason !== undefined)('two members', () => {
  test.each(cells)(
    '%s find each other',
    async (_, cell) => {
      const result = await runCell(cell, ROUNDS);
      rows.push(rowOf(result));
      console.log(rowOf(result));
      // A carrier is reached as any member is.
      const told = cell.path === 'carrier' ? 'tcp' : cell.path;
      expect(result).toMatchObject({ path: cell.path, told, isSame: true });
      expect(result.medianMs).toBeLessThanOrEqual(LENIENCE * cell.mostMs);
      expect(result.mbitPerSecond).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );

  test.for(carried)(
    '$a ↔ $b who cannot connect get it through a carrier in $carrier, who fetches it meanwhile',
    { timeout: LIMIT_MS },
    async (cell) => {
      const { path: seen, firstByteMs, medianMs, mbitPerSecond, isSame } = await runCarried(cell, ROUNDS);
      const name = `${cell.a} ↔ ${cell.b}, through a carrier in ${cell.carrier} who fetches it meanwhile`;
      rows.push(`| ${name} | ${seen} | ${medianMs} (${firstByteMs.join(', ')}) | ${cell.mostMs} | ${mbitPerSecond} |`);
      console.log(rows.at(-1));
      expect([seen, isSame]).toEqual(['carrier', true]);
      expect(medianMs).toBeLessThanOrEqual(LENIENCE * cell.mostMs);
    },
  );

  test.for(disturbances)('go on by $path when $what at $of of $a ↔ $b', { timeout: LIMIT_MS }, async (disturbed) => {
    const { pauseMs, upgradeMs, isSame, path: seen } = await runDisturbed(disturbed);
    const { a, b, of, what, mostMs } = disturbed;
    const third = disturbed.carrier === undefined ? '' : ', through a carrier';
    const again = upgradeMs === null ? '' : ` again after ${upgradeMs} ms`;
    pauses.push(`| ${a} ↔ ${b}${third} | ${seen}${again} | ${of === 'a' ? a : b}: ${what} | ${pauseMs} | ${mostMs} |`);
    console.log(pauses.at(-1));
    expect([seen, isSame]).toEqual([disturbed.path, true]);
    expect(pauseMs).toBeLessThanOrEqual(mostMs);
  });

  test.for(lateFetches)(
    'a carrier in $carrier who asks late is called at once from $a',
    { timeout: LIMIT_MS },
    async (late) => {
      const { firstMs, isSame } = await runLateFetch(late);
      const { a, carrier, afterMs, mostMs } = late;
      waits.push(`| ${a} → a carrier in ${carrier} | ${afterMs} | ${firstMs} | ${mostMs} |`);
      expect(isSame).toBe(true);
      expect(firstMs).toBeLessThanOrEqual(mostMs);
    },
  );
});

afterAll(() => {
  const tables = [
    table(['home A ↔ home B', 'path', 'first byte, ms: median (each)', 'bar, ms', '64 MB, Mbit/s'], rows),
    table(['home A ↔ home B', 'path', 'what happens', 'until 4 MB more, ms', 'bar, ms'], pauses),
    table(['who shares → who asks', 'after, ms', 'first byte, ms', 'bar, ms'], waits),
  ];
  const folder = path.join(import.meta.dirname, '..', '..', 'artefacts');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'reach.md'), tables.join('\n'));
});

function table(heads: readonly string[], lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return `${[`| ${heads.join(' | ')} |`, `|${' --- |'.repeat(heads.length)}`, ...lines].join('\n')}\n`;
}

function named(cell: Cell): string {
  const third = cell.carrier === undefined ? '' : `, a carrier in ${cell.carrier}`;
  const without = cell.withoutInternet === true ? ', without internet' : '';
  const homes = cell.b === 'same' ? `one home, ${cell.a}` : `${cell.a} ↔ ${cell.b}`;
  return `${homes}${third}${without}`;
}

function rowOf({ cell, path: seen, medianMs, firstByteMs, mbitPerSecond }: CellResult): string {
  return `| ${named(cell)} | ${seen} | ${medianMs} (${firstByteMs.join(', ')}) | ${cell.mostMs} | ${mbitPerSecond} |`;
}
