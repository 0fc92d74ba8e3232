import type { z } from 'zod';
import words from '../contract/words/doctor.en.json' with { type: 'json' };
import type { doctorShape } from './doctor-shape.ts';
import { plain, sizeInWords } from './words.ts';

type Report = z.output<typeof doctorShape>;
type Severity = keyof typeof words.severity;

/** What is found as blocks of sentences: the verdict, what it is about, and below what to do. */
export function findingInWords({ severity, area, code, params }: Report['findings'][number]): string {
  const { direction, ms, bytes } = params;
  const key = direction === undefined ? code : `${code}-${String(direction)}`;
  const sentence = look(words.finding, code === 'disk-room' && bytes === undefined ? 'disk-room-unknown' : key) ?? code;
  const values = {
    ...params,
    reason: params['error'] ?? '',
    ...(typeof ms === 'number' ? { seconds: (ms / 1000).toFixed(1), span: `${Math.round(ms / 1000)} s` } : {}),
    ...(typeof bytes === 'number' ? { size: sizeInWords(bytes) } : {}),
  };
  return block(severity, look(words.area, area) ?? area, [fill(sentence, values)], look(words.todo, code));
}

/** How a member's device is reached, why not in a better way, and what to do. */
export function deviceInWords({
  severity,
  jid,
  device,
  state,
  path,
  because,
  advice,
}: Report['devices'][number]): string {
  const reached = path === null ? look(words.state, state) : look(words.path, path);
  const reasons = because.map((code) => look(words.because, code) ?? code);
  const todo = advice === null ? undefined : fill(look(words.advice, advice) ?? advice, { person: jid });
  return block(severity, `${plain(jid)} (${device.slice(0, 8)})`, [reached ?? path ?? state, ...reasons], todo);
}

function block(severity: string, about: string, sentences: readonly string[], todo: string | undefined): string {
  const verdict = words.severity[severity as Severity] ?? severity;
  const lines = [`${about}: ${verdict}`, ...sentences, ...(todo === undefined ? [] : [`→ ${todo}`])];
  return lines.map((line, index) => (index === 0 ? line : `  ${line}`)).join('\n');
}

/** A newer engine may find what this program has no words for. */
function look(texts: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(texts, key) ? texts[key] : undefined;
}

function fill(sentence: string, values: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => plain(String(values[name] ?? '')));
}
