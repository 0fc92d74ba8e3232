import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { GLOBAL_OPTIONS, useLine } from './arguments.ts';
import type { Command } from './command.ts';
import { commands } from './commands.ts';
import { errorShape } from './shapes.ts';

/** The text of docs/cli.md, from the commands and their schemas. */
export function cliDocument(): string {
  return `${[
    '# Command line',
    '',
    'Written by `node src/cli/document.ts` from the commands themselves; a test checks that it is up to date.',
    '',
    '```',
    'spherecast [--profile DIR] [--json] [--timeout SECONDS] COMMAND …',
    'npm run -s spherecast -- COMMAND …      (from a checkout)',
    '```',
    '',
    ...introduction,
    '',
    '## Options of every command',
    '',
    ...optionLines(GLOBAL_OPTIONS),
    '',
    '## Commands',
    '',
    ...commands.flatMap(commandLines),
    '## Failures',
    '',
    'With `--json` a failure prints:',
    '',
    '```',
    shapeText(errorShape),
    '```',
    '',
    '`code` is `usage`, `no-engine`, or one of the codes in [errors.ts](../src/base/errors.ts).',
  ].join('\n')}\n`;
}

const introduction = [
  '- With `--json` standard output is exactly one JSON value (`serve`: one line when ready, then silent); everything',
  '  else goes to standard error. Shapes only grow.',
  '- Exit codes: 0 done, 1 failed, 2 wrong use, 3 no engine runs for this profile, 4 timed out.',
  '- Bytes are integers, fields ending in `Ms` are milliseconds since the epoch. Identifiers are printed and accepted in',
  '  full; spheres, items, files and invitations can also be called by a name that only one of them has.',
  '- Without `--profile` the profile lies in the platform’s data folder: `$XDG_DATA_HOME/spherecast` on Linux,',
  '  `~/Library/Application Support/Spherecast` on macOS, `%LOCALAPPDATA%\\Spherecast` on Windows. Sphere folders are',
  '  made in `~/Spherecast`, or in `<profile>/spheres` with `--profile`.',
  '- A profile holds `engine.json` (pid, startedAt, url, token; only while the engine runs), `lock`, `config.json`,',
  '  `accounts/` and `logs/`. SIGTERM ends `serve` with 0 within five seconds.',
];

function commandLines(command: Command): string[] {
  const options = optionLines(command.options);
  return [
    `### ${command.name}`,
    '',
    command.summary,
    '',
    '```',
    `spherecast ${useLine(command)}`,
    '```',
    '',
    ...(options.length === 0 ? [] : [...options, '']),
    'Prints:',
    '',
    '```',
    shapeText(command.shape),
    '```',
    '',
  ];
}

function optionLines(options: Command['options']): string[] {
  return Object.entries(options).map(
    ([name, { value, help }]) => `- \`--${name}${value === undefined ? '' : ` ${value}`}\`: ${help}`,
  );
}

type JsonSchema = Exclude<z.core.JSONSchema._JSONSchema, boolean>;

/** A schema as people write shapes: braces, types, and the description as a remark. */
function shapeText(schema: z.ZodType): string {
  return shapeOf(z.toJSONSchema(schema), '');
}

function shapeOf(schema: z.core.JSONSchema._JSONSchema | undefined, indent: string): string {
  if (schema === undefined || typeof schema === 'boolean') return 'any';
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map((part) => shapeOf(part, indent)).join(' | ');
  if (schema.type === 'array') return `[${shapeOf(itemOf(schema), indent)}, …]`;
  if (schema.type !== 'object') return [schema.type ?? 'any'].flat().join(' | ');
  if (typeof schema.additionalProperties === 'object') {
    return `{ "…": ${shapeOf(schema.additionalProperties, indent)} }`;
  }
  const deeper = `${indent}  `;
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, field]) => `${deeper}"${name}": ${shapeOf(field, deeper)}${remark(field)}`,
  );
  return `{\n${fields.join('\n')}\n${indent}}`;
}

function itemOf(schema: JsonSchema): z.core.JSONSchema._JSONSchema | undefined {
  return Array.isArray(schema.items) ? undefined : schema.items;
}

function remark(schema: z.core.JSONSchema._JSONSchema): string {
  return typeof schema === 'boolean' || schema.description === undefined ? '' : `   (${schema.description})`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(new URL('../../docs', import.meta.url), { recursive: true });
  writeFileSync(new URL('../../docs/cli.md', import.meta.url), cliDocument());
}
