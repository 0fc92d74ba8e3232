import type { Command } from './command.ts';
import { usageFailure } from './failure.ts';

/** Options that every command takes, wherever they stand. */
export const GLOBAL_OPTIONS = {
  profile: { value: 'DIR', help: 'the profile folder instead of the platform’s own' },
  json: { help: 'print exactly one JSON value' },
  timeout: { value: 'SECONDS', help: 'give up after this time with exit code 4' },
  verbose: { help: 'tell more on standard error' },
  help: { help: 'show this text' },
  version: { help: 'print the version' },
} as const;

export interface Arguments {
  readonly words: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
}

/** Takes the line apart; `known` says which options have a value. Everything after `--` is a word. */
export function splitLine(line: readonly string[], known: (name: string) => 'flag' | 'value' | undefined): Arguments {
  const words: string[] = [];
  const flags = new Set<string>();
  const values = new Map<string, string>();
  for (let index = 0; index < line.length; index += 1) {
    const part = line[index] ?? '';
    if (part === '--') {
      words.push(...line.slice(index + 1));
      break;
    }
    if (!part.startsWith('--')) {
      words.push(part);
      continue;
    }
    const [name = '', ...rest] = part.slice(2).split('=');
    const kind = known(name);
    if (kind === undefined) throw usageFailure(`there is no option --${name}`);
    if (kind === 'flag') {
      if (rest.length > 0) throw usageFailure(`--${name} takes no value`);
      flags.add(name);
      continue;
    }
    const value = rest.length > 0 ? rest.join('=') : line[(index += 1)];
    if (value === undefined) throw usageFailure(`${name} needs a value`);
    if (values.has(name)) throw usageFailure(`--${name} was given twice`);
    values.set(name, value);
  }
  return { words, flags, values };
}

/** The command whose name begins the words, and the words that follow it. */
export function findCommand(
  commands: readonly Command[],
  words: readonly string[],
): { command: Command; rest: readonly string[] } | undefined {
  for (const command of commands) {
    const name = command.name.split(' ');
    if (name.every((word, index) => words[index] === word)) return { command, rest: words.slice(name.length) };
  }
  return undefined;
}

/** Refuses options of other commands and a wrong number of words. */
export function checkUse(command: Command, rest: readonly string[], given: readonly string[]): void {
  for (const name of given) {
    if (!Object.hasOwn(GLOBAL_OPTIONS, name) && !Object.hasOwn(command.options, name)) {
      throw usageFailure(`${command.name} takes no --${name}`);
    }
  }
  for (const [name, { required }] of Object.entries(command.options)) {
    if (required === true && !given.includes(name)) throw usageFailure(`${command.name} needs --${name}`);
  }
  const { min, max } = command.positionals;
  if (rest.length < min || rest.length > max) throw usageFailure(`usage: spherecast ${useLine(command)}`);
}

/** The command with its options as it is typed. */
export function useLine(command: Command): string {
  const options = Object.entries(command.options).map(([name, { value, required }]) => {
    const option = value === undefined ? `--${name}` : `--${name} ${value}`;
    return required === true ? option : `[${option}]`;
  });
  return [command.name, command.usage, ...options].filter((part) => part !== '').join(' ');
}

/** A whole number from `min` on; `name` as it is typed. */
export function wholeNumber(name: string, text: string, min = 0): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min)) throw usageFailure(`${name} needs a whole number from ${min}, not ${JSON.stringify(text)}`);
  return number;
}
