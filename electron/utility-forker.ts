import path from 'node:path';
import type * as Electron from 'electron';
import { childEnvironment } from '../src/engine/process-launcher.ts';

/** A running utility process, as far as we use it. */
export interface UtilityChild<Port> {
  readonly pid: number | undefined;
  postMessage(message: unknown, ports?: readonly Port[]): void;
  kill(): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  once(event: 'spawn', listener: () => void): unknown;
  once(event: 'exit', listener: (code: number) => void): unknown;
}

export interface ForkOptions {
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  /** The name that the system's process list shows. */
  readonly serviceName: string;
}

/** Starts the bundled programs as utility processes. */
export interface UtilityForker<Port> {
  fork(program: string, options: ForkOptions): UtilityChild<Port>;
  /** The two ends of a new channel. */
  channel(): readonly [Port, Port];
}

/** The forker of Electron; `folder` is where the bundled programs lie. */
export function electronForker(
  electron: Pick<typeof Electron, 'utilityProcess' | 'MessageChannelMain'>,
  folder: string,
): UtilityForker<Electron.MessagePortMain> {
  return {
    fork(program, { args, execArgv, serviceName }) {
      const child = electron.utilityProcess.fork(path.join(folder, program), [...args], {
        execArgv: [...execArgv],
        env: childEnvironment(),
        serviceName,
        // Standard output belongs to nobody here; what a process complains about is shown.
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      return {
        get pid() {
          return child.pid;
        },
        postMessage: (message, ports = []) => child.postMessage(message, [...ports]),
        kill: () => child.kill(),
        on: (_event, listener) => child.on('message', listener),
        once: (event: 'spawn' | 'exit', listener: (code: number) => void) =>
          event === 'exit' ? child.once('exit', listener) : child.once('spawn', () => listener(0)),
      };
    },
    channel() {
      const { port1, port2 } = new electron.MessageChannelMain();
      return [port1, port2];
    },
  };
}
