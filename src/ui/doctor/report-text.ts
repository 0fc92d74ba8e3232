import type { TechnicalLine } from './technical-lines.ts';

interface ReportParts {
  readonly title: string;
  readonly atMs: number;
  readonly findings: readonly { readonly severity: string; readonly area: string; readonly text: string }[];
  readonly technical: readonly TechnicalLine[];
}

/** The check as plain text, for a message to somebody who can help. */
export function reportText({ title, atMs, findings, technical }: ReportParts): string {
  return `${[
    `Spherecast · ${title} · ${new Date(atMs).toISOString()}`,
    '',
    ...findings.map(({ severity, area, text }) => `[${severity}] ${area}: ${text}`),
    '',
    ...technical.map(({ label, value }) => `${label}: ${value}`),
  ].join('\n')}\n`;
}
