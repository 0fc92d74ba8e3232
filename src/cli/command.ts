import type { z } from 'zod';
import type { Profile } from '../engine/profile.ts';
import type { EngineConnection } from './connect.ts';

/** The streams and surroundings of one run of the command line. */
export interface CliIo {
  readonly cwd: string;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Everything on standard input. */
  readStdin(): Promise<string>;
}

export interface ServeOptions {
  readonly profile: string | undefined;
  readonly port: number | undefined;
  /** For this run, in place of what the profile says. */
  readonly duties: { readonly extraPorts?: readonly number[]; readonly keepEverything?: boolean };
  /** Gets log lines worth showing. */
  readonly onLog: (line: string) => void;
  readonly verbose: boolean;
  /** Nobody said for whom it is started: the page asks. */
  readonly asksWho: boolean;
}

/** An engine that runs in this process. */
export interface ServedEngine {
  readonly url: string;
  /** An address that opens the application once, soon. */
  urlForOnce(): string;
  readonly pid: number;
  readonly version: string;
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** Starts an engine in this process and lets it end on the usual signals. */
export type StartEngine = (options: ServeOptions) => Promise<ServedEngine>;

export interface CommandContext {
  readonly positionals: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly profile: Profile;
  readonly profileOption: string | undefined;
  readonly verbose: boolean;
  /** Aborts when `--timeout` has passed. */
  readonly signal: AbortSignal;
  readonly io: CliIo;
  readonly startEngine: StartEngine;
  readonly openPage: (url: string) => Promise<void>;
  connect(): Promise<EngineConnection>;
  /** Prints a value in the middle of a command that goes on. */
  print(value: unknown): void;
}

interface OptionSpec {
  /** How its value is named in the help; absent for a flag. */
  readonly value?: string;
  readonly required?: boolean;
  readonly help: string;
}

/** One command: what it takes, what it prints, what it does. */
export interface Command {
  /** `sphere create` is two words. */
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly positionals: { readonly min: number; readonly max: number };
  readonly shape: z.ZodType;
  /** The value to print; undefined when it printed by itself. */
  run(context: CommandContext): Promise<unknown>;
  /** The value in words, for people. */
  describe(value: unknown): string;
}

interface Definition<Shape extends z.ZodType> {
  readonly name: string;
  readonly usage?: string;
  readonly summary: string;
  readonly options?: Readonly<Record<string, OptionSpec>>;
  readonly positionals?: { readonly min: number; readonly max: number };
  readonly shape: Shape;
  run(context: CommandContext): Promise<z.input<Shape> | undefined>;
  describe(value: z.output<Shape>): string;
}

/** Checks a definition's types against its own shape and forgets them, so that commands fit into one list. */
export function defineCommand<Shape extends z.ZodType>(definition: Definition<Shape>): Command {
  return {
    name: definition.name,
    usage: definition.usage ?? '',
    summary: definition.summary,
    options: definition.options ?? {},
    positionals: definition.positionals ?? { min: 0, max: 0 },
    shape: definition.shape,
    run: (context) => definition.run(context),
    describe: (value) => definition.describe(definition.shape.parse(value)),
  };
}
