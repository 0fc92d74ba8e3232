import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { KeptPort } from './kept-port.ts';
import { Pause } from './pause.ts';

/** How soon an address that came or went is noticed. */
const LOOK_MS = 10_000;
const LEAST_LOOK_MS = 1_000;
/** A machine has one or two, and those of the last days that it still answers to. */
const MOST_ADDRESSES = 4;

export interface PinholeState {
  readonly address: string;
  readonly port: number;
  readonly open: boolean;
}

export interface KeptPinholesDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** The public IPv6 addresses of this machine now. */
  readonly addresses: () => readonly string[];
  readonly keep: (address: string) => KeptPort;
  readonly onDisposed: () => void;
}

/** One port kept open in the router's IPv6 firewall for every public address of this machine, until disposed. */
export class KeptPinholes implements AsyncDisposable {
  readonly changes: Emitter<readonly PinholeState[]>;
  readonly #deps: KeptPinholesDeps;
  readonly #port: number;
  readonly #kept = new Map<string, KeptPort>();
  readonly #pause: Pause;
  readonly #scope: Scope;

  constructor(deps: KeptPinholesDeps, port: number) {
    this.#deps = deps;
    this.#port = port;
    this.#pause = new Pause({ clock: deps.clock, leastMs: LEAST_LOOK_MS });
    this.changes = new Emitter((error) => deps.log.error('listener failed', { error }));
    this.#scope = new Scope({ log: deps.log });
    this.#scope.spawn('keep pinholes open', (signal) => this.#run(signal));
  }

  get state(): readonly PinholeState[] {
    return Array.from(this.#kept, ([address, kept]) => ({
      address,
      port: this.#port,
      open: kept.state.kind === 'open',
    }));
  }

  /** As KeptPort. */
  checkNow(): void {
    this.#pause.cutShort();
    for (const kept of this.#kept.values()) kept.checkNow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
    await Promise.all(Array.from(this.#kept.values(), (kept) => kept[Symbol.asyncDispose]()));
    this.#deps.onDisposed();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      // A turn later than the constructor, so that whoever made this hears the first addresses.
      await Promise.resolve();
      await this.#follow(this.#deps.addresses().slice(0, MOST_ADDRESSES));
      await this.#pause.wait(LOOK_MS, signal);
    }
  }

  async #follow(addresses: readonly string[]): Promise<void> {
    const gone = [...this.#kept].filter(([address]) => !addresses.includes(address));
    const come = addresses.filter((address) => !this.#kept.has(address));
    if (gone.length === 0 && come.length === 0) return;
    for (const address of come) {
      const kept = this.#deps.keep(address);
      kept.changes.on(() => this.changes.emit(this.state));
      this.#kept.set(address, kept);
    }
    for (const [address] of gone) this.#kept.delete(address);
    this.changes.emit(this.state);
    await Promise.all(gone.map(([, kept]) => kept[Symbol.asyncDispose]()));
  }
}
