import { spawn } from 'node:child_process';
import type { LogEntry } from '../base/log.ts';
import { withoutPrivate } from './log-file.ts';
import { logUncaught } from './log-uncaught.ts';
import type { CreateServices, Duties, Engine } from './start-engine.ts';
import { startEngine } from './start-engine.ts';

const LAST_RESORT_MS = 4500;

export interface ServeOptions {
  /** Absolute; the platform's data folder when undefined. */
  readonly profile: string | undefined;
  readonly port: number | undefined;
  readonly duties: Duties;
  /** Gets warnings and errors as readable lines, everything when verbose. */
  readonly onLog: (line: string) => void;
  readonly verbose: boolean;
  readonly asksWho: boolean;
}

/** How the command line runs an engine in its own process: with these services, ended by the usual signals. */
export function serveWith(createServices: CreateServices): (options: ServeOptions) => Promise<Engine> {
  return async ({ profile, port, duties, onLog, verbose, asksWho }) => {
    const shown = verbose ? ['debug', 'info', 'warn', 'error'] : ['warn', 'error'];
    const starting = startEngine({
      createServices,
      duties,
      asksWho,
      startProfile,
      ...(profile === undefined ? {} : { profile }),
      ...(port === undefined ? {} : { port }),
      onLog: (entry) => {
        if (shown.includes(entry.level)) onLog(readable(entry));
      },
    });
    stopOnSignals(starting);
    const engine = await starting;
    logUncaught(engine.log);
    return engine;
  };
}

/** By the program that runs now. It has nothing of ours open, and goes on when we end. */
function startProfile(folder: string): void {
  const program = [...process.execArgv, process.argv[1] ?? '', '--profile', folder, 'serve', '--no-open'];
  const child = spawn(process.execPath, program, { detached: true, stdio: 'ignore', windowsHide: true });
  // Whoever waits for it hears that it does not come.
  child.on('error', () => undefined);
  child.unref();
}

/** Ends the engine on SIGTERM, SIGINT and SIGHUP, also while it starts; after 4.5 s the process ends whatever hangs. */
function stopOnSignals(starting: Promise<Engine>): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => {
      // The timer does not keep the process alive, so a clean end is not delayed.
      setTimeout(() => process.exit(0), LAST_RESORT_MS).unref();
      starting.then(
        (engine) => engine.stop(),
        // A failed start is told by whoever waits for it.
        () => undefined,
      );
    });
  }
}

function readable(entry: LogEntry): string {
  const { level, module, text, fields } = withoutPrivate(entry);
  const details = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${level} ${module}: ${text}${details}`;
}
