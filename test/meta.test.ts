import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { ERROR_CODES } from '../src/base/errors.ts';
import { SYSTEM_PACKAGES } from '../tools/bootstrap/packages.mjs';
import { SHARES } from '../tools/shares.mjs';
import { SUITES } from '../tools/suites.mjs';

/** Tests about the source itself: rules that neither the compiler nor the linter can check. */

const root = path.resolve(import.meta.dirname, '..');
const packageSchema = z.object({
  dependencies: z.record(z.string(), z.string()),
  optionalDependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  allowScripts: z.record(z.string(), z.boolean()),
});
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      resolved: z.string().optional(),
      hasInstallScript: z.boolean().optional(),
      link: z.boolean().optional(),
    }),
  ),
});
const manifest = packageSchema.parse(readJson('package.json'));
const lock = lockSchema.parse(readJson('package-lock.json'));
const dependencies = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };

function readJson(file: string): unknown {
  return JSON.parse(read(file));
}

function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** Files below folders whose names match, as paths from the root with forward slashes. */
function files(folders: readonly string[], pattern: RegExp): string[] {
  return folders
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && pattern.test(entry.name))
        .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/')),
    )
    .filter((file) => !file.includes('node_modules/'));
}

const SOURCE = /\.(ts|mjs|cjs|js|vue|css|html)$/;
const sources = files(['src', 'electron'], SOURCE);
const product = sources.filter((file) => !file.endsWith('.test.ts'));

/** `file:line` of each line that matches. */
function findings(where: readonly string[], pattern: RegExp): string[] {
  return where.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}`] : [])),
  );
}

function entries(folder: string): string[] {
  return readdirSync(path.join(root, folder)).toSorted();
}

describe('the product source', () => {
  test('no template puts raw HTML into the page', () => {
    expect(findings(product, /v-html|\.innerHTML\s*=|insertAdjacentHTML/)).toEqual([]);
  });

  test('only peers and routers are listened to on all interfaces', () => {
    const local = product.filter((file) => !/^src\/(torrent|nat|swarm)\//.test(file));
    expect(findings(local, /['"`](0\.0\.0\.0|::)['"`]/)).toEqual([]);
  });

  test('no file is longer than 400 lines', () => {
    const all = [...sources, ...files(['tools', 'test'], SOURCE)];
    expect(all.filter((file) => read(file).trimEnd().split('\n').length > 400)).toEqual([]);
  });

  test('no word of unfinished work stands in the source', () => {
    // An input's placeholder attribute is a word of HTML.
    expect(findings(sources, /\b(TODO|FIXME|XXX)\b|\bstubs?\b|\bfor now\b|\bplaceholder\b(?!['"]?\s*[=:)-])/)).toEqual(
      [],
    );
  });

  test('electron is loaded in its own folder only', () => {
    const others = sources.filter((file) => !file.startsWith('electron/'));
    expect(findings(others, /(from|require\(|import\()\s*['"]electron(\/[a-z]+)?['"]/)).toEqual([]);
  });

  test('no path of the machine it was written on stands anywhere', () => {
    const all = [
      ...product,
      ...files(['tools', 'docs', 'resources', '.ci'], /\.(ts|mjs|md|vue|json|svg|desktop)$|^run$/),
    ];
    expect(findings(all, /(^|[\s'"`(=])\/(root|home\/[a-z]+)\//)).toEqual([]);
  });

  test('the bootstrap imports nothing that has to be installed', () => {
    const bootstrap = files(['tools'], /\.mjs$/).filter((file) => file !== 'tools/smoke.mjs');
    expect(findings(bootstrap, /\bfrom\s+['"](?!node:|\.{1,2}\/)/)).toEqual([]);
  });
});

describe('the tests of the check', () => {
  const check = SUITES.filter((suite) => suite.name === 'check').flatMap((suite) => suite.files);
  const tests = check.flatMap(({ folder, deep, pattern }) =>
    files([folder], pattern).filter((file) => deep || path.posix.dirname(file) === folder),
  );

  test('need nothing installed: none of them reaches a fixture that starts programs or looks for them', () => {
    const found = tests.flatMap((file) =>
      reachedFrom(file)
        .filter((each) => each.startsWith('test/fixtures/') && /node:child_process|missingPrograms/.test(read(each)))
        .map((each) => `${file} → ${each}`),
    );
    expect(tests.length).toBeGreaterThan(100);
    expect(found).toEqual([]);
  });

  test('start no program by its name but those that every system has', () => {
    const found = findings(tests, /(?<![.\w])(spawn|exec|execFile)(Sync)?\(\s*'(?!(mkfifo|mount|umount)')/);
    expect(found.filter((line) => !line.startsWith('test/meta.test.ts'))).toEqual([]);
  });

  /** What runs with a file: itself, and all that it imports for more than types. */
  function reachedFrom(file: string): string[] {
    const reached = new Set([file]);
    for (const each of reached) for (const next of importsOf(each)) reached.add(next);
    return [...reached];
  }

  const known = new Map<string, string[]>();
  function importsOf(file: string): string[] {
    const before = known.get(file);
    if (before !== undefined) return before;
    const text = /\.(ts|mjs)$/.test(file) && existsSync(path.join(root, file)) ? read(file) : '';
    const found = [...text.matchAll(/^(?:im|ex)port(?! type\b)[^;']*'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm)];
    const imports = found.map(([, now, later = '']) => path.posix.join(path.posix.dirname(file), now ?? later));
    known.set(file, imports);
    return imports;
  }
});

describe('protocol files', () => {
  const xeps = files(['src/xmpp/xep'], /\.ts$/).filter((file) => !file.endsWith('.test.ts'));

  test('every XEP file is named by its number and begins with number, title and version', () => {
    const wrong = xeps.filter((file) => {
      const number = /\/(\d{4})-[a-z0-9-]+\.ts$/.exec(file)?.[1];
      const banner = /^\/\/ XEP-(\d{4}): .+, version \d+\.\d+(\.\d+)?/.exec(read(file));
      return number === undefined || banner?.[1] !== number;
    });
    expect(wrong).toEqual([]);
  });

  test('docs/doap.xml lists every XEP with the version that the sources name, and what is left out of it', () => {
    const banners = product
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...read(file).matchAll(/^\/\/.*$/gm)].map(([line]) => line))
      .flatMap((line) => [...line.matchAll(/XEP-(\d{4}): [^,;]+, version (\d+(?:\.\d+)*\w*)/g)]);
    const named = new Set(banners.map(([, number, version]) => `${number} ${version}`));
    const supported = read('docs/doap.xml').split('<xmpp:SupportedXep>').slice(1);
    const value = (xep: string, pattern: RegExp): string => pattern.exec(xep)?.[1] ?? '';
    const listed = supported.map((xep) => {
      const version = value(xep, /<xmpp:version>([^<]+)</);
      return `${value(xep, /xep-(\d{4})\.html/)} ${version}`;
    });
    expect(listed).toEqual([...named].toSorted());
    const silent = supported.filter((xep) => {
      const status = value(xep, /<xmpp:status>(complete|partial)</);
      return status === '' || (status === 'partial') !== xep.includes('<xmpp:note');
    });
    expect(silent).toEqual([]);
  });

  test('every file of test vectors is named in the wire format, and every one that is named exists', () => {
    const named = [...read('docs/wire-format.md').matchAll(/`([a-z-]+\.json)`/g)].map((match) => match[1] ?? '');
    const stored = entries('test/fixtures/protocol').filter((name) => name.endsWith('.json'));
    expect([...new Set(named)].toSorted()).toEqual(stored);
  });

  test('every section of the wire format that names code that writes bytes names test vectors', () => {
    const sections = read('docs/wire-format.md').split(/^## /m).slice(1);
    const bare = sections.filter((text) => /\(bytes\)|\(messages\)/.test(text) && !/Vectors:/.test(text));
    expect(bare.map((text) => text.split('\n')[0])).toEqual([]);
  });

  test('every XEP file has a test or a fixture', () => {
    const bare = xeps.filter((file) => {
      const number = path.basename(file).slice(0, 4);
      return !existsSync(path.join(root, file.replace(/\.ts$/, '.test.ts'))) && !hasFixture(number);
    });
    expect(bare).toEqual([]);
  });

  function hasFixture(number: string): boolean {
    const folder = path.join('test', 'fixtures', 'xep', number);
    return existsSync(path.join(root, folder)) && entries(folder).some((name) => name.endsWith('.xml'));
  }
});

describe('packages', () => {
  test('every version is exact', () => {
    const loose = Object.entries(dependencies).filter(
      ([, version]) => !/^(npm:(@[a-z]+\/)?[a-z0-9-]+@)?\d+\.\d+\.\d+$/.test(version) && !version.startsWith('file:'),
    );
    expect(loose).toEqual([]);
  });

  test('every dependency says in docs/dependencies.md why it is here', () => {
    const text = read('docs/dependencies.md');
    expect(Object.keys(dependencies).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  test('the lock file names no registry', () => {
    const named = Object.entries(lock.packages).filter(([, entry]) => entry.resolved?.startsWith('http') === true);
    expect(named.map(([name]) => name)).toEqual([]);
  });

  test('every install script is decided', () => {
    const names = Object.entries(lock.packages)
      .filter(([, entry]) => entry.hasInstallScript === true)
      .map(([place]) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length));
    expect(names.filter((name) => !(name in manifest.allowScripts))).toEqual([]);
  });
});

describe('the layout', () => {
  test('nothing unknown stands at the top level', () => {
    const folders = ['.ci', 'docs', 'electron', 'resources', 'src', 'test', 'tools'];
    const toolFiles = ['.dependency-cruiser.cjs', '.gitattributes', '.gitignore', '.oxfmtrc.json', '.oxlintrc.json'];
    const documents = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md'];
    const configuration = ['package-lock.json', 'package.json', 'tsconfig.json', 'vite.config.ts', 'vitest.config.ts'];
    const made = ['.git', 'artefacts', 'coverage', 'dist', 'node_modules'];
    const known = new Set([...folders, ...toolFiles, ...documents, ...configuration, ...made]);
    expect(entries('.').filter((name) => !known.has(name) && !name.endsWith('.log'))).toEqual([]);
  });

  test('src holds the layers and nothing else', () => {
    const layers = ['base', 'contract', 'xmpp', 'omemo', 'torrent', 'nat', 'storage', 'spheres', 'people', 'player'];
    const hosts = ['engine', 'swarm', 'media', 'cli', 'ui'];
    expect(entries('src').filter((name) => ![...layers, ...hosts].includes(name))).toEqual([]);
  });

  test('the test folder holds fixtures, the kinds of tests, and tests about the source', () => {
    const known = ['bench', 'e2e', 'fixtures', 'integration', 'meta.test.ts', 'netlab', 'sim'];
    expect(entries('test').filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('documents', () => {
  test('the map of the README leads to every folder of the source', () => {
    const text = read('README.md');
    expect(entries('src').filter((name) => !text.includes(`src/${name}`))).toEqual([]);
    const rows = [...(text.split('## Map')[1] ?? '').matchAll(/^\| \[([^\]]+)\]/gm)].map((match) => match[1] ?? '');
    expect(rows.slice(0, 7)).toEqual([
      'electron',
      'src/spheres',
      'src/torrent',
      'src/xmpp',
      'src/player',
      'resources',
      'test',
    ]);
  });

  test('the table of the README names each main package that is built on', () => {
    const table = read('README.md').split('## Built on')[1] ?? '';
    const main = [
      'webtorrent',
      'bittorrent-tracker',
      'create-torrent',
      '@xmpp/client',
      'libsignal-protocol-typescript',
    ];
    expect([...main, 'Electron', 'Vue'].filter((name) => !table.includes(`[${name}](`))).toEqual([]);
    expect(main.filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });

  test('every package of the system that is installed for tests and benches is listed', () => {
    const section = read('docs/dependencies.md').split('## From the system')[1] ?? '';
    const listed = new Set(Array.from(section.matchAll(/[a-z0-9-]+/g), ([name]) => name));
    expect(SYSTEM_PACKAGES.filter(({ name }) => !listed.has(name)).map(({ name }) => name)).toEqual([]);
  });

  test('files and exported names use the words of the architecture, and no others for the same things', () => {
    const others = /^(user|friend|buddy|workspace|chatroom|groupchat|album|seeder|leecher|post)s?$/;
    const exported = product.flatMap((file) =>
      [...read(file).matchAll(/^export (?:abstract )?(?:class|interface|type|(?:async )?function|const) (\w+)/gm)].map(
        ([, name = '']) => name,
      ),
    );
    expect(exported.length).toBeGreaterThan(1000);
    const isOther = (name: string): boolean =>
      (name.match(/[A-Z]?[a-z]+/g) ?? []).some((word) => others.test(word.toLowerCase()));
    expect([...product.map((file) => path.basename(file)), ...exported].filter(isOther)).toEqual([]);
  });

  test('what each suite needs is documented', () => {
    const rows = new Map(
      [...read('docs/testing.md').matchAll(/^\| (\w+) +\|[^|]*\|([^|]*)\| \d+ s +\|/gm)].map(([, name, needs]) => [
        name,
        needs,
      ]),
    );
    const lacking = SYSTEM_PACKAGES.flatMap(({ name, suites }) =>
      suites.filter((suite) => rows.has(suite) && !rows.get(suite)?.includes(name)).map((suite) => `${suite}: ${name}`),
    );
    expect(lacking).toEqual([]);
  });

  test('the budgets of the suites are the ones that are documented', () => {
    const text = read('docs/testing.md');
    const rows = [...text.matchAll(/^\| (\w+) +\|.*\| (\d+) s +\| (\d+) % +\|$/gm)];
    const total = SUITES.reduce((sum, suite) => sum + suite.budgetSeconds, 0);
    expect(rows.map(([, name, budget, share]) => ({ name, budget: Number(budget), share: Number(share) }))).toEqual(
      SUITES.map(({ name, budgetSeconds }) => ({
        name,
        budget: budgetSeconds,
        share: Math.round((100 * budgetSeconds) / total),
      })),
    );
    expect(text).toContain(`Together ${total / 60} minutes of budget`);
    const purposes = [...text.matchAll(/^\| ([\w ]+?) +\|[^|]+\| (\d+) s +\|$/gm)].map(([, name, s]) => [
      name,
      Number(s),
    ]);
    expect(purposes).toEqual(SHARES.map(({ name, budgetSeconds }) => [name, budgetSeconds]));
  });

  test('every link between documents leads to a file', () => {
    const documents = [...entries('.').filter((name) => name.endsWith('.md')), ...files(['docs'], /\.md$/)];
    const broken = documents.flatMap((file) =>
      [...read(file).matchAll(/(?<!!)\[[^\]]*\]\((?!https?:|mailto:|#)([^)#]+)/g)]
        .map((match) => path.join(path.dirname(file), match[1] ?? ''))
        .filter((target) => !existsSync(path.join(root, target)))
        .map((target) => `${file} → ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('translations', () => {
  const english = keys('en');
  const french = keys('fr');

  test('English and French have the same keys', () => {
    expect(french).toEqual(english);
  });

  test('every error code has a text', () => {
    expect(ERROR_CODES.filter((code) => !english.includes(`error.${code}`))).toEqual([]);
  });

  test('every notice that is told has a text, and every text of a notice is told', () => {
    const text = product
      .filter((file) => /^src\/(engine|ui)\/.*\.(ts|vue)$/.test(file))
      .map(read)
      .join('\n');
    const texts = english.flatMap((key) => /^notice\.(.+)\.title$/.exec(key)?.[1] ?? []);
    // What this version does not know is told in general words.
    expect(texts.filter((code) => code !== 'other' && !text.includes(`'${code}'`))).toEqual([]);
    const told = [...text.matchAll(/(?:tell\(|kind: 'notice',)[^;]*?code: '([a-z-]+)'/g)].map(
      (match) => match[1] ?? '',
    );
    expect(told.length).toBeGreaterThan(3);
    expect(told.filter((code) => !texts.includes(code))).toEqual([]);
  });

  function keys(language: string): string[] {
    const file = `src/ui/i18n/${language}.json`;
    return existsSync(path.join(root, file)) ? flatten('', readJson(file)).toSorted() : [];
  }

  function flatten(prefix: string, value: unknown): string[] {
    if (typeof value !== 'object' || value === null) return [prefix];
    return Object.entries(value).flatMap(([key, inner]) => flatten(prefix === '' ? key : `${prefix}.${key}`, inner));
  }
});
