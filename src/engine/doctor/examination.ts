import type { Clock } from '../../base/clock.ts';
import type { Emitter } from '../../base/emitter.ts';
import type { Logger } from '../../base/log.ts';
import { Scope } from '../../base/scope.ts';
import type { DeviceFacts, DiskFacts, DoctorFacts, DoctorReport, ServerFacts } from '../../contract/doctor.ts';
import type { Area } from '../../contract/findings.ts';
import { AREAS } from '../../contract/findings.ts';
import type { NetworkState } from '../../contract/swarm.ts';
import { diagnose } from './diagnose.ts';
import { diagnoseDevices } from './diagnose-devices.ts';
import { waysIn } from './ways-in.ts';

/** Where the facts come from. What is a method without a signal is known at once. */
export interface DoctorSources {
  account(): DoctorFacts['account'];
  transfers(): DoctorFacts['transfers'];
  network(): NetworkState | null;
  devices(): DeviceFacts[];
  /** null when there is no connection to ask on. */
  askServer(signal: AbortSignal): Promise<ServerFacts | null>;
  lookAtDisks(signal: AbortSignal): Promise<DiskFacts[]>;
  /** Something that is known at once has changed. */
  readonly onChange: Emitter<void>;
}

interface ExaminationDeps {
  readonly sources: DoctorSources;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A router that is there answers within this time, and a connection that can be made is made. */
const SETTLE_MS = 12_000;
/** Of changes that come together only the last is told. */
const PAUSE_MS = 250;

const OF_NETWORK: readonly Area[] = ['transfers', 'router', 'ipv6', 'nearby', 'helpers'];

/** One look at everything; each report holds all that is known so far. */
export class Examination {
  readonly #deps: ExaminationDeps;
  readonly #asked = new Set<'server' | 'disks'>();
  #server: ServerFacts | null = null;
  #disks: DiskFacts[] = [];
  #isSettled = false;
  #changed = Promise.withResolvers<void>();

  constructor(deps: ExaminationDeps) {
    this.#deps = deps;
  }

  /** Ends when nothing is being looked at any more; with `follow` only by the signal. */
  async *reports({ follow }: { follow: boolean }, signal: AbortSignal): AsyncGenerator<DoctorReport, void, void> {
    const { sources, clock, log } = this.#deps;
    await using scope = new Scope({ log });
    const wake = (): void => this.#changed.resolve();
    using stack = new DisposableStack();
    stack.defer(sources.onChange.on(wake));
    signal.addEventListener('abort', wake, { once: true });
    stack.defer(() => signal.removeEventListener('abort', wake));
    this.#ask(scope, 'disks', async (signal) => {
      this.#disks = await sources.lookAtDisks(signal);
    });
    scope.spawn('settle', async (ended) => {
      await clock.sleep(SETTLE_MS, ended);
      this.#isSettled = true;
      wake();
    });
    for (;;) {
      // Before looking: what changes from here on is another report.
      this.#changed = Promise.withResolvers();
      this.#askServer(scope);
      const report = this.#report();
      yield report;
      if (!follow && report.running.length === 0) return;
      await this.#changed.promise;
      await clock.sleep(PAUSE_MS, signal);
    }
  }

  /** In each new connection anew. */
  #askServer(scope: Scope): void {
    const { sources } = this.#deps;
    const isOnline = sources.account()?.state === 'online';
    if (!isOnline) this.#server = null;
    if (!isOnline || this.#server !== null) return;
    this.#ask(scope, 'server', async (signal) => {
      this.#server = await sources.askServer(signal);
    });
  }

  #ask(scope: Scope, what: 'server' | 'disks', question: (signal: AbortSignal) => Promise<void>): void {
    if (this.#asked.has(what)) return;
    this.#asked.add(what);
    scope.spawn(what, async (signal) => {
      try {
        await question(signal);
      } finally {
        this.#asked.delete(what);
        this.#changed.resolve();
      }
    });
  }

  #report(): DoctorReport {
    const { sources, version, clock } = this.#deps;
    const facts: DoctorFacts = {
      account: sources.account(),
      server: this.#server,
      transfers: sources.transfers(),
      network: sources.network(),
      disks: this.#disks,
      devices: sources.devices(),
    };
    const running = this.#running(facts);
    const findings = diagnose(facts).filter(({ area }) => !running.includes(area));
    return { version, atMs: clock.now(), running, findings, devices: diagnoseDevices(facts), facts };
  }

  #running({ account, network }: DoctorFacts): Area[] {
    const running = new Set<Area>();
    if (this.#asked.has('disks')) running.add('disk');
    if (this.#asked.has('server')) running.add('server').add('clock');
    if (!this.#isSettled) {
      if (account?.state === 'connecting') running.add('server').add('clock');
      if (account !== null && network === null) for (const area of OF_NETWORK) running.add(area);
      if (network !== null && waysIn(network).door === 'searching') running.add('router').add('helpers');
    }
    return AREAS.filter((area) => running.has(area));
  }
}
