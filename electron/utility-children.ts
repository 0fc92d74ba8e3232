import type { Clock } from '../src/base/clock.ts';
import { childOptions } from '../src/engine/process-launcher.ts';
import type { FromEngine, ToEngine } from './engine-messages.ts';
import type { UtilityChild, UtilityForker } from './utility-forker.ts';

const LAST_RESORT_MS = 3000;

interface UtilityChildrenDeps<Port> {
  readonly forker: UtilityForker<Port>;
  readonly clock: Clock;
  /** Tells the engine; the port goes with the message. */
  readonly tell: (message: ToEngine, ports: readonly Port[]) => void;
}

/** The engine's swarm and media processes, started on its behalf. */
export class UtilityChildren<Port> {
  readonly #deps: UtilityChildrenDeps<Port>;
  readonly #running = new Map<number, UtilityChild<Port>>();

  constructor(deps: UtilityChildrenDeps<Port>) {
    this.#deps = deps;
  }

  launch({ id, program, maxHeapMb }: Extract<FromEngine, { kind: 'launch' }>): void {
    const { forker, tell } = this.#deps;
    const child = forker.fork('child.js', {
      args: [program],
      serviceName: `Spherecast ${program.replace(/(-main)?\.js$/, '')}`,
      execArgv: childOptions(maxHeapMb ?? undefined),
    });
    this.#running.set(id, child);
    const [near, far] = forker.channel();
    child.once('spawn', () => tell({ kind: 'launched', id, pid: child.pid ?? null }, [far]));
    child.once('exit', (code) => {
      this.#running.delete(id);
      tell({ kind: 'exited', id, code }, []);
    });
    child.postMessage({ kind: 'connect' }, [near]);
  }

  kill(id: number): void {
    const child = this.#running.get(id);
    if (child !== undefined) endNow(child);
  }

  /** Their engine is gone: they end by themselves when they notice, and are ended when they do not. */
  async orphan(): Promise<void> {
    const orphans = Array.from(this.#running.values());
    this.#running.clear();
    if (orphans.length === 0) return;
    await this.#deps.clock.sleep(LAST_RESORT_MS);
    orphans.filter((child) => child.pid !== undefined).forEach(endNow);
  }
}

/** A process that hangs does not hear a polite signal. */
export function endNow(child: Pick<UtilityChild<never>, 'pid' | 'kill'>): void {
  if (child.pid === undefined) {
    child.kill();
    return;
  }
  try {
    process.kill(child.pid, 'SIGKILL');
  } catch {
    // It has ended between the decision and the signal.
  }
}
