import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Channel } from '../src/contract/process-channel.ts';
import type { LaunchedProcess, ProcessLauncher } from '../src/engine/process-launcher.ts';
import type { FromEngine, MessagePort } from './engine-messages.ts';

type Ended = { code: number | null; signal: string | null };

/** Lets the main process start the engine's children: a utility process cannot start one by itself. */
export class ShellLauncher implements ProcessLauncher {
  readonly #post: (message: FromEngine) => void;
  readonly #children = new Map<number, ShellChild>();
  #nextId = 0;

  constructor(deps: { post: (message: FromEngine) => void }) {
    this.#post = deps.post;
  }

  launch(entry: URL, options: { maxHeapMb?: number } = {}): LaunchedProcess {
    const id = this.#nextId;
    this.#nextId += 1;
    const child = new ShellChild(() => this.#post({ kind: 'kill', id }));
    this.#children.set(id, child);
    const program = path.basename(fileURLToPath(entry));
    this.#post({ kind: 'launch', id, program, maxHeapMb: options.maxHeapMb ?? null });
    return child;
  }

  /** The main process has started the child and gives the port that leads to it. */
  launched(id: number, pid: number | null, port: MessagePort | undefined): void {
    this.#children.get(id)?.connect(pid ?? undefined, port);
  }

  exited(id: number, code: number | null): void {
    this.#children.get(id)?.end({ code, signal: null });
    this.#children.delete(id);
  }
}

/** A child that has no port yet in its first milliseconds: what is sent meanwhile waits. */
class ShellChild implements LaunchedProcess {
  readonly kill: () => void;
  readonly channel: Channel;
  readonly #exitListeners = new Set<(how: Ended) => void>();
  readonly #messageListeners = new Set<(message: unknown) => void>();
  readonly #closeListeners = new Set<() => void>();
  #waiting: unknown[] = [];
  #port: MessagePort | undefined;
  #pid: number | undefined;
  #ended: Ended | undefined;

  constructor(kill: () => void) {
    this.kill = kill;
    this.channel = {
      post: (message) => this.#send(message),
      onMessage: (listener) => void this.#messageListeners.add(listener),
      onClose: (listener) => {
        if (this.#ended === undefined) this.#closeListeners.add(listener);
        else listener();
      },
    };
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  onExit(listener: (how: Ended) => void): void {
    if (this.#ended === undefined) this.#exitListeners.add(listener);
    else listener(this.#ended);
  }

  connect(pid: number | undefined, port: MessagePort | undefined): void {
    this.#pid = pid;
    this.#port = port;
    port?.on('message', ({ data }) => {
      for (const listener of this.#messageListeners) listener(data);
    });
    port?.start();
    for (const message of this.#waiting) port?.postMessage(message);
    this.#waiting = [];
  }

  end(how: Ended): void {
    if (this.#ended !== undefined) return;
    this.#ended = how;
    for (const listener of this.#closeListeners) listener();
    for (const listener of this.#exitListeners) listener(how);
  }

  #send(message: unknown): void {
    if (this.#ended !== undefined) return;
    if (this.#port === undefined) this.#waiting.push(message);
    else this.#port.postMessage(message);
  }
}
