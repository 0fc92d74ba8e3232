import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { torrentStateSchema } from '../contract/swarm.ts';
import { itemStateSchema } from '../contract/views.ts';
import type { FileState } from './store-file.ts';
import type { TorrentCircumstances } from './torrent-phase.ts';
import { torrentPhase } from './torrent-phase.ts';

const DOCUMENT = readFileSync(new URL('./states.md', import.meta.url), 'utf8');
const TORRENT_STATES = torrentStateSchema.shape.state.options;
const FILE_STATES = Object.keys({
  new: true,
  begun: true,
  fixed: true,
  condemned: true,
} satisfies Record<FileState['kind'], true>);

/** The names in the cells of each row of the table under a heading. */
function table(heading: string): string[][][] {
  const section = DOCUMENT.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name)),
  );
}

const named = (heading: string): string[] => table(heading).flatMap(([names = []]) => names);

const either = [false, true];

/** All that can be so at a moment. */
function* allCircumstances(): Generator<TorrentCircumstances> {
  for (const hasFailed of either)
    for (const fault of [null, 'changed', 'missing'] as const)
      for (const isStarted of either)
        for (const isPaused of either)
          for (const isSettled of either)
            for (const isDiskFull of either)
              for (const lacksWanted of either)
                for (const isChosen of either) {
                  const is = { hasFailed, fault, isStarted, isPaused, isSettled, isDiskFull, lacksWanted, isChosen };
                  if (isPossible(is)) yield is;
                }
}

/** Whoever wants all of it lacks something until it is whole; what is whole lacks nothing and needs no room. */
function isPossible({ isSettled, isDiskFull, lacksWanted, isChosen }: TorrentCircumstances): boolean {
  return isSettled ? !lacksWanted && !isDiskFull : lacksWanted || isChosen;
}

/** What may be so after one thing happened; a choice is made once, before the start. */
function* next(is: TorrentCircumstances): Generator<TorrentCircumstances> {
  yield { ...is, hasFailed: true };
  for (const fault of [null, 'changed', 'missing'] as const) yield { ...is, fault };
  yield { ...is, isStarted: true };
  yield { ...is, isPaused: !is.isPaused };
  if (is.isStarted && !is.isChosen) yield { ...is, isSettled: true, lacksWanted: false, isDiskFull: false };
  if (is.isStarted && !is.isSettled) yield { ...is, isDiskFull: !is.isDiskFull };
  if (is.isStarted && is.isChosen && !is.isSettled) yield { ...is, lacksWanted: !is.lacksWanted };
}

test('the document names the states of the code, all of them and no other', () => {
  expect(named('A torrent in the swarm process').toSorted()).toEqual(TORRENT_STATES.toSorted());
  expect(named('A file of a torrent')).toEqual(FILE_STATES);
  expect(named('An item on this device')).toEqual([...itemStateSchema.options]);
});

test('one state of a torrent follows another exactly where the document says so', () => {
  const found = new Map<string, Set<string>>(TORRENT_STATES.map((state) => [state, new Set()]));
  for (const before of allCircumstances())
    for (const after of next(before)) {
      const [from, to] = [torrentPhase(before), torrentPhase(after)];
      if (from !== to && isPossible(after)) found.get(from)?.add(to);
    }
  const written = table('Which state of a torrent follows which').map(([[from = ''] = [], to = []]) => [
    from,
    to.toSorted(),
  ]);
  expect(written).toEqual([...found].map(([from, to]) => [from, [...to].toSorted()]));
});

test('every state that a document names as the next one is a state', () => {
  const follows = (heading: string): string[] => table(heading).flatMap((row) => row.at(-1) ?? []);
  expect(follows('An item on this device').filter((name) => !named('An item on this device').includes(name))).toEqual(
    [],
  );
  expect(follows('A file of a torrent').filter((name) => !FILE_STATES.includes(name))).toEqual([]);
});
