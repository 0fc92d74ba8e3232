import { createApp, defineComponent } from 'vue';
import { describe, expect, test } from 'vitest';
import type { DeviceReport, Finding } from '../../contract/doctor.ts';
import { ADVICE_CODES, BECAUSE_CODES, FINDINGS } from '../../contract/findings.ts';
import type { FindingCode } from '../../contract/findings.ts';
import { parseBareJid, parseDeviceKey, parseSphereId } from '../../base/id.ts';
import { createTranslations } from '../i18n/create-translations.ts';
import { useCheckWords } from './use-check-words.ts';

/** The words as a page in this language has them. */
function wordsIn(language: string): ReturnType<typeof useCheckWords> {
  let words: ReturnType<typeof useCheckWords> | undefined;
  const page = defineComponent(() => {
    words = useCheckWords();
    return () => null;
  });
  createApp(page).use(createTranslations(language)).mount(document.createElement('div'));
  if (words === undefined) throw new Error('the page was not set up');
  return words;
}

const PARAMS: Partial<Record<FindingCode, Finding['params']>> = {
  'server-slow': { ms: 4_210 },
  'server-away': { error: 'server-unreachable' },
  'sign-in-refused': { error: 'wrong-password' },
  'extra-door-closed': { number: 443, why: 'EACCES' },
  'disk-room': { bytes: 212_000_000_000 },
  'disk-low': { bytes: 3_000_000_000, sphere: 'Summer' },
  'disk-full': { bytes: 3_000, sphere: 'Summer' },
  'disk-locked': { sphere: 'Summer', folder: '/home/anna/Summer' },
  'clock-wrong': { ms: 3_600_000, direction: 'behind' },
};
const finding = (code: FindingCode): Finding => ({ code, ...FINDINGS[code], params: PARAMS[code] ?? {} });
const codes = Object.keys(FINDINGS) as FindingCode[];

const device: DeviceReport = {
  sphereId: parseSphereId('5e'.repeat(32)),
  sphere: 'Summer',
  jid: parseBareJid('paul@example.org'),
  name: 'Paul',
  device: parseDeviceKey('aa'.repeat(32)),
  state: 'unreached',
  severity: 'problem',
  path: null,
  because: [...BECAUSE_CODES],
  advice: 'ask-them',
};

/** What is left of a key, a value that was not filled in, or an empty value in the middle. */
const unfinished = (text: string): boolean => /doctor\.|[{}]|undefined|NaN|: \.|: $/.test(text);

describe.each(['en', 'fr'])('in %s', (language) => {
  const words = wordsIn(language);

  test('every finding is a whole sentence', () => {
    const texts = codes.map((code) => words.finding(finding(code)));
    expect(texts.filter((text) => unfinished(text) || !text.endsWith('.'))).toEqual([]);
  });

  test('every worry comes with something to do, and what is well with nothing', () => {
    const withoutAdvice = codes.filter((code) => words.todo(finding(code)) === null);
    const worries = codes.filter((code) => ['warning', 'problem'].includes(FINDINGS[code].severity));
    expect(worries.filter((code) => withoutAdvice.includes(code))).toEqual([]);
    const well = codes.filter((code) => FINDINGS[code].severity === 'ok');
    expect(well.filter((code) => !withoutAdvice.includes(code))).toEqual([]);
  });

  test('of a device it is said how it is reached, why not better, and what to do', () => {
    const texts = [
      words.device(device),
      words.device({ ...device, path: 'turn', state: 'connected' }),
      ...words.because(device),
      ...ADVICE_CODES.map((advice) => words.advice({ ...device, advice }) ?? ''),
    ];
    expect(texts.filter((text) => text === '' || unfinished(text))).toEqual([]);
    expect(words.advice(device)).toContain('Paul');
    expect(words.advice({ ...device, advice: null })).toBeNull();
  });
});

test('numbers are written as in the language of the person', () => {
  const slow = (language: string): string => wordsIn(language).finding(finding('server-slow'));
  expect(slow('en')).toContain('4.2 seconds');
  expect(slow('fr')).toContain('4,2 secondes');
  expect(wordsIn('en').finding(finding('clock-wrong'))).toContain('slow by 1 hr');
  expect(wordsIn('en').finding(finding('server-away'))).toContain('The server cannot be reached.');
});
