import type { ChildProcess, Serializable } from 'node:child_process';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Channel, ProcessEnd } from '../contract/process-channel.ts';
import { processChannel } from '../contract/process-channel.ts';

/** A running child process. */
export interface LaunchedProcess {
  readonly channel: Channel;
  readonly pid: number | undefined;
  /** Called once, at once when it is over already. */
  onExit(listener: (how: { code: number | null; signal: string | null }) => void): void;
  /** Ends it without asking. */
  kill(): void;
}

/** Starts child processes; the desktop shell puts its own way of doing so in this place. */
export interface ProcessLauncher {
  launch(entry: URL, options?: { maxHeapMb?: number }): LaunchedProcess;
}

/**
 * Node.js options of the engine. What it works with dies young, in a small part of the heap too: left to itself that
 * part takes 40 MB more, and a long backlog is read no faster.
 */
export const ENGINE_OPTIONS: readonly string[] = ['--max-semi-space-size=4'];

/**
 * Node.js options of a child. What it works with lies outside the heap: left to itself the young part of its heap
 * grows to 128 MB that are hardly used. So small a part is collected sooner by the thread itself than by waking others.
 */
export function childOptions(maxHeapMb?: number): string[] {
  const usual = ['--max-semi-space-size=2', '--no-parallel-scavenge'];
  return maxHeapMb === undefined ? usual : [...usual, `--max-old-space-size=${maxHeapMb}`];
}

/**
 * A child's environment, read before it starts: a disk syncs sixteen small files in the time of one, and Node.js has no
 * more than four such waits otherwise; and the C library of Linux copies large pieces by an instruction that takes two to
 * four times as long on some processors of AMD, depending on where the pieces lie.
 */
export function childEnvironment(): NodeJS.ProcessEnv {
  const copiesByVector = 'glibc.cpu.x86_rep_movsb_threshold=0x40000000';
  return { UV_THREADPOOL_SIZE: '16', GLIBC_TUNABLES: copiesByVector, ...process.env };
}

/** Children of plain Node, by the same runtime that runs the engine. */
export const nodeLauncher: ProcessLauncher = {
  launch(entry, options = {}) {
    const child = fork(fileURLToPath(entry), [], {
      serialization: 'advanced',
      execArgv: childOptions(options.maxHeapMb),
      env: childEnvironment(),
      // Standard output of the engine belongs to the command line; children may only complain.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    let ended: { code: number | null; signal: string | null } | undefined;
    const listeners = new Set<(how: { code: number | null; signal: string | null }) => void>();
    const end = (how: { code: number | null; signal: string | null }): void => {
      if (ended !== undefined) return;
      ended = how;
      for (const listener of listeners) listener(how);
    };
    child.on('exit', (code, signal) => end({ code, signal }));
    child.on('error', () => end({ code: null, signal: null }));
    return {
      channel: processChannel(endOf(child)),
      pid: child.pid,
      onExit(listener) {
        if (ended === undefined) listeners.add(listener);
        else listener(ended);
      },
      kill: () => void child.kill('SIGKILL'),
    };
  },
};

/** The part of a child that carries messages; only structured clones are ever sent. */
function endOf(child: ChildProcess): ProcessEnd {
  return {
    get connected() {
      return child.connected;
    },
    send: (message, handle, options, callback) => child.send(message as Serializable, handle, options, callback),
    on: (event: string, listener: (message: unknown) => void) => child.on(event, listener),
  };
}
