import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../base/errors.ts';
import { deviceReportSchema } from '../../contract/doctor.ts';
import { ADVICE_CODES, BECAUSE_CODES, FINDINGS } from '../../contract/findings.ts';
import { ABILITY_NAMES } from '../../contract/server-abilities.ts';
import { pathSchema } from '../../contract/swarm.ts';
import { sphereSchema } from '../../contract/views.ts';
import { createTranslations, MESSAGES } from './create-translations.ts';

const { en, fr } = MESSAGES;

function keysOf(tree: object, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null ? keysOf(value, `${prefix}${key}.`) : [`${prefix}${key}`],
  );
}

function textOf(tree: object, key: string): string {
  let value: unknown = tree;
  for (const part of key.split('.')) value = Reflect.get(value as object, part);
  return String(value);
}

const keys = keysOf(en);
const sources = import.meta.glob<string>(['../**/*.vue', '../**/*.ts', '!../**/*.test.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
/** A key, or with an interpolation the part before it. */
const used = Object.values(sources).flatMap((source) =>
  Array.from(source.matchAll(/\bt\(\s*(?:'([\w.-]+)'|`([\w.-]+)\$\{)/g), (match) => match[1] ?? match[2] ?? ''),
);

describe('translations', () => {
  test('English and French have the same keys', () => {
    expect(keysOf(fr)).toEqual(keys);
  });

  test('both languages fill in the same values', () => {
    const values = (text: string): string[] => Array.from(new Set(text.match(/\{\w+\}/g) ?? [])).toSorted();
    const different = keys.filter((key) => `${values(textOf(en, key))}` !== `${values(textOf(fr, key))}`);
    expect(different).toEqual([]);
  });

  test('every failure says what happened, what it means for the files and what to do', () => {
    const missing = ERROR_CODES.flatMap((code) =>
      ['error', 'meaning', 'remedy'].map((part) => `${part}.${code}`).filter((key) => !keys.includes(key)),
    );
    expect(missing).toEqual([]);
  });

  test('no two failures read alike: each reason why nobody could sign in has a sentence of its own', () => {
    for (const language of [en, fr]) {
      const sentences = ERROR_CODES.map((code) => textOf(language, `error.${code}`));
      expect(new Set(sentences).size).toBe(ERROR_CODES.length);
    }
  });

  test('every state of a sphere has a word, and every state that is not plain membership an explanation', () => {
    const states = sphereSchema.shape.state.options;
    const missing = states.flatMap((state) =>
      ['sphere.state', ...(state === 'joined' ? [] : ['sphere.note'])]
        .map((part) => `${part}.${state}`)
        .filter((key) => !keys.includes(key)),
    );
    expect(states).toContain('refused');
    expect(missing).toEqual([]);
  });

  test('everything the connection check can find has a sentence, and what is not well something to do', () => {
    const found = Object.entries(FINDINGS);
    const wanted = [
      ...found.map(([code]) => `finding.${code === 'clock-wrong' ? 'clock-wrong-ahead' : code}`),
      ...found.flatMap(([code, { severity }]) => (['warning', 'problem'].includes(severity) ? [`todo.${code}`] : [])),
      ...BECAUSE_CODES.map((code) => `because.${code}`),
      ...ABILITY_NAMES.map((name) => `serverList.ability.${name}`),
      ...ADVICE_CODES.map((code) => `advice.${code}`),
      ...pathSchema.options.map((path) => `path.${path}`),
      ...deviceReportSchema.shape.state.options.map((state) => `state.${state}`),
    ];
    expect(wanted.filter((key) => !keys.includes(`doctor.${key}`))).toEqual([]);
  });

  test('every text that a screen asks for exists', () => {
    expect(used.length).toBeGreaterThan(100);
    const missing = used.filter(
      (key) => !keys.some((known) => known === key || (key.endsWith('.') && known.startsWith(key))),
    );
    expect(missing).toEqual([]);
  });

  test('no text is left that no screen asks for', () => {
    const asked = Object.values(sources).flatMap((source) =>
      Array.from(
        source.matchAll(/'([\w-]+(?:\.[\w-]+)+)'|`([\w-]+\.[\w.-]*)\$\{/g),
        (match) => match[1] ?? match[2] ?? '',
      ),
    );
    const prefixes = asked.filter((key) => key.endsWith('.'));
    const idle = keys.filter((key) => !asked.includes(key) && !prefixes.some((prefix) => key.startsWith(prefix)));
    expect(idle).toEqual([]);
  });

  test('no technical word stands outside the advanced settings and the folded details of the connection check', () => {
    const technical = /\b(torrent|tracker|swarm|omemo|muc|peer|seed|port|bittorrent|jid|stanza)s?\b/i;
    for (const tree of [en, fr]) {
      const apart = /^(advanced|doctor\.technical)\./;
      expect(keys.filter((key) => !apart.test(key) && technical.test(textOf(tree, key)))).toEqual([]);
    }
  });

  test('zero and one are singular in French', () => {
    const french = createTranslations('fr').global;
    expect(french.t('sphere.people', 0)).toBe('0 personne');
    expect(french.t('sphere.people', 2)).toBe('2 personnes');
    expect(french.t('sphere.items', 0)).toBe('Rien de partagé');
    expect(createTranslations('en').global.t('sphere.items', 1)).toBe('1 item');
  });
});
