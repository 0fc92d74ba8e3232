import { readLines } from '../../base/line-code.ts';

/** What is wrong with a kit as it was typed; null when its lines are whole. `line` counts from 1. */
export function kitProblem(typed: string): { readonly kind: 'empty' } | { readonly kind: 'line'; line: number } | null {
  const signs = typed.trim().replace(/^spherecast:/i, '');
  if (signs === '') return { kind: 'empty' };
  const read = readLines(signs);
  return read.kind === 'wrong' ? { kind: 'line', line: read.line + 1 } : null;
}
