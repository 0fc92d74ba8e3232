import type { Clock } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** One line of the log. `text` is static and lower-case, everything variable is in `fields`. */
export interface LogEntry {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly module: string;
  readonly text: string;
  readonly fields: LogFields;
}

/** Never give it message text, keys, passwords, tokens or file names. */
export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  child(module: string): Logger;
}

export function createLogger(deps: { clock: Clock; sink: (entry: LogEntry) => void; module?: string }): Logger {
  const module = deps.module ?? 'app';
  const write =
    (level: LogLevel) =>
    (text: string, fields: LogFields = {}) =>
      deps.sink({ atMs: deps.clock.now(), level, module, text, fields: plainFields(fields) });
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (name) => createLogger({ ...deps, module: name }),
  };
}

export const silentLogger: Logger = createLogger({
  clock: { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() },
  sink: () => undefined,
});

/** Errors become {name, message, stack, code, cause}, so that an entry can be written as JSON. */
function plainFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code: unknown = 'code' in value ? value.code : undefined;
  // The message of a system error holds the path, and so a file's name.
  if ('syscall' in value) return { name: value.name, code, syscall: value.syscall };
  return {
    name: value.name,
    // A parser quotes what it could not read, and that may be anything.
    ...(value instanceof SyntaxError ? {} : { message: value.message }),
    stack: framesOf(value),
    ...(code === undefined ? {} : { code }),
    ...(value.cause === undefined ? {} : { cause: plainValue(value.cause) }),
  };
}

/** Where it happened: the message, which the stack repeats, may have lines of its own. */
function framesOf(error: Error): readonly string[] | undefined {
  return error.stack
    ?.split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .slice(0, 4);
}
