import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { MEMBERS, PINNED_VERSIONS } from './webtorrent-inside.ts';

const root = path.resolve(import.meta.dirname, '../..');
const product = ['src', 'electron']
  .flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
  )
  .filter((file) => /\.(ts|vue)$/.test(file) && !/\.test\.ts$|node_modules/.test(file));

/** The files with a line that matches. */
function filesWith(pattern: RegExp): string[] {
  return product.filter((file) => pattern.test(readFileSync(path.join(root, file), 'utf8'))).toSorted();
}

test('members of webtorrent that it does not promise are named in one file', () => {
  const inner = Object.values(MEMBERS)
    .flat()
    .filter((name) => name.startsWith('_') || name === 'setThrottlePipes');
  expect(inner).toHaveLength(14);
  const named = filesWith(new RegExp(`\\b(${inner.join('|')}|_connPool|_onListening)\\b`));
  expect(named).toEqual(['src/torrent/webtorrent-inside.ts']);
});

test('webtorrent is loaded in one file', () => {
  expect(
    filesWith(/import\(\s*'(webtorrent|bittorrent-protocol)'|import \w+ from '(webtorrent|bittorrent-protocol)'/),
  ).toEqual(['src/torrent/client.ts']);
});

test('the versions whose inside is used are those that are installed', () => {
  const dependencies: Readonly<Record<string, string>> = manifest.dependencies;
  expect(Object.entries(PINNED_VERSIONS).filter(([name, version]) => dependencies[name] !== version)).toEqual([]);
});
