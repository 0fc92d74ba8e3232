import { GLOBAL_OPTIONS, useLine } from './arguments.ts';
import type { Command } from './command.ts';
import { table } from './words.ts';

/** The text of `--help`: all commands, or one with its options. */
export function helpText(commands: readonly Command[], one: Command | undefined): string {
  if (one !== undefined) {
    return [`spherecast ${useLine(one)}`, '', one.summary, '', optionTable(one.options)].join('\n').trimEnd();
  }
  return [
    'spherecast [OPTIONS] COMMAND …',
    '',
    table(
      commands.map((command) => [`  ${[command.name, command.usage].join(' ').trimEnd()}`, command.summary]),
      '',
    ),
    '',
    optionTable(GLOBAL_OPTIONS),
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong use, 3 no engine runs for this profile, 4 timed out.',
  ].join('\n');
}

function optionTable(options: Command['options']): string {
  return table(
    Object.entries(options).map(([name, { value, help }]) => [
      `  --${name}${value === undefined ? '' : ` ${value}`}`,
      help,
    ]),
    '',
  );
}
