import type { Severity } from '../../contract/findings.ts';
import { SEVERITIES } from '../../contract/findings.ts';

/** How each weight looks. */
export const SEVERITY_LOOK: Readonly<Record<Severity, { readonly icon: string; readonly tone: string }>> = {
  ok: { icon: 'i-lucide-circle-check', tone: 'text-success' },
  info: { icon: 'i-lucide-info', tone: 'text-muted' },
  warning: { icon: 'i-lucide-triangle-alert', tone: 'text-warning' },
  problem: { icon: 'i-lucide-circle-x', tone: 'text-error' },
};

/** The heaviest of them, `ok` when there is none. */
export function worst(severities: readonly Severity[]): Severity {
  return SEVERITIES.findLast((severity) => severities.includes(severity)) ?? 'ok';
}
