import path from 'node:path';
import { locateProfile } from '../engine/profile.ts';
import { productVersion } from '../engine/version.ts';
import { checkUse, findCommand, GLOBAL_OPTIONS, splitLine } from './arguments.ts';
import type { CliIo, Command, CommandContext, StartEngine } from './command.ts';
import { commands } from './commands.ts';
import { connectEngine } from './connect.ts';
import type { ExitCode } from './failure.ts';
import { EXIT, Failure, toFailure, usageFailure } from './failure.ts';
import { helpText } from './help.ts';

interface CliDeps {
  readonly io: CliIo;
  readonly startEngine: StartEngine;
  /** Shows an address in the person's browser. */
  readonly openPage: (url: string) => Promise<void>;
}

/** Runs one command line and answers with its exit code; prints at most one value on standard output. */
export async function runCli(line: readonly string[], deps: CliDeps): Promise<ExitCode> {
  const json = wantsJson(line);
  try {
    await runLine(line, deps, json);
    return EXIT.done;
  } catch (error) {
    const failure = toFailure(error);
    if (json) deps.io.stdout(`${JSON.stringify({ error: { code: failure.code, message: failure.message } })}\n`);
    else deps.io.stderr(`spherecast: ${failure.message}${reason(failure)}\n`);
    return failure.exitCode;
  }
}

/** The code of a failure that its sentence alone does not tell apart, as in "signing in failed (wrong-password)". */
function reason({ code, exitCode }: Failure): string {
  return exitCode === EXIT.failed ? ` (${code})` : '';
}

async function runLine(line: readonly string[], deps: CliDeps, json: boolean): Promise<void> {
  const { words, flags, values } = splitLine(line, optionKind);
  const found = findCommand(commands, words);
  if (flags.has('version')) return printText(deps.io, json, { version: productVersion() }, productVersion());
  if (flags.has('help')) {
    const text = helpText(commands, found?.command);
    return printText(deps.io, json, { help: text }, text);
  }
  if (found === undefined) throw usageFailure(unknownCommand(words));
  const { command, rest } = found;
  checkUse(command, rest, [...flags, ...values.keys()]);

  const timeout = timeoutOf(values.get('timeout'));
  const profileOption = values.get('profile');
  const profileFolder = profileOption === undefined ? undefined : path.resolve(deps.io.cwd, profileOption);
  const profile = locateProfile(profileFolder);
  const print = (value: unknown): void => {
    const shaped = command.shape.parse(value);
    deps.io.stdout(`${json ? JSON.stringify(shaped) : command.describe(shaped)}\n`);
  };
  const context: CommandContext = {
    positionals: rest,
    flags,
    values,
    profile,
    profileOption: profileFolder,
    verbose: flags.has('verbose'),
    signal: timeout,
    io: deps.io,
    startEngine: deps.startEngine,
    openPage: deps.openPage,
    connect: () => connectEngine(profile, timeout),
    print,
  };
  const value = await inTime(command, context);
  if (value !== undefined) print(value);
}

/** Calls and the connection end by the signal with errors of their own: the person is told the reason. */
async function inTime(command: Command, context: CommandContext): Promise<unknown> {
  try {
    return await command.run(context);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    throw new Failure('timed-out', 'the time is over', EXIT.timedOut, error);
  }
}

function timeoutOf(text: string | undefined): AbortSignal {
  if (text === undefined) return new AbortController().signal;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (!(seconds > 0 && seconds < 2_000_000)) throw usageFailure('--timeout needs a number of seconds above 0');
  return AbortSignal.timeout(Math.ceil(seconds * 1000));
}

function optionKind(name: string): 'flag' | 'value' | undefined {
  const specs = [GLOBAL_OPTIONS, ...commands.map(({ options }) => options)] as readonly Command['options'][];
  const spec = specs.find((options) => Object.hasOwn(options, name))?.[name];
  if (spec === undefined) return undefined;
  return spec.value === undefined ? 'flag' : 'value';
}

/** Read by itself, because a line that cannot be taken apart must fail in the wanted form, too. */
function wantsJson(line: readonly string[]): boolean {
  const end = line.indexOf('--');
  return (end < 0 ? line : line.slice(0, end)).includes('--json');
}

function unknownCommand(words: readonly string[]): string {
  return words.length === 0
    ? 'which command? See spherecast --help'
    : `there is no command ${words.slice(0, 2).join(' ')}`;
}

function printText(io: CliIo, json: boolean, value: unknown, text: string): void {
  io.stdout(`${json ? JSON.stringify(value) : text}\n`);
}
