import type { EngineConnection } from '../../src/cli/connect.ts';
import type { AccountView, AppEvent, ItemView, Snapshot, SphereView } from '../../src/contract/views.ts';
import type { Person } from '../fixtures/engine-world.ts';

/** What an engine shows, kept up to date by its events, so that the moment of a change is known. */
export class EngineWatch implements AsyncDisposable {
  readonly items = new Map<string, ItemView>();
  readonly spheres = new Map<string, SphereView>();
  account: AccountView | null;
  readonly #connection: EngineConnection;
  readonly #waiting = new Set<() => void>();
  readonly #following: Promise<void>;

  private constructor(connection: EngineConnection, snapshot: Snapshot) {
    this.#connection = connection;
    this.account = snapshot.account;
    for (const sphere of snapshot.spheres) this.spheres.set(sphere.id, sphere);
    for (const item of snapshot.items) this.items.set(item.id, item);
    this.#following = this.#follow(snapshot.seq);
  }

  static async start(person: Person): Promise<EngineWatch> {
    const connection = await person.connect(AbortSignal.timeout(60_000));
    return new EngineWatch(connection, await connection.client.system.snapshot());
  }

  /** Whether the account is signed in and its place in the room of the sphere taken. */
  isOnline(sphereId: string): boolean {
    return this.account?.state === 'online' && this.spheres.get(sphereId)?.state === 'joined';
  }

  /** Resolves with the time on the clock of `performance` when the condition came true. */
  async until(what: string, condition: () => boolean, withinMs: number): Promise<number> {
    const end = performance.now() + withinMs;
    while (!condition()) {
      const left = end - performance.now();
      if (left <= 0) throw new Error(`not within ${withinMs} ms: ${what}`);
      await this.#change(left);
    }
    return performance.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection[Symbol.dispose]();
    await this.#following;
  }

  async #follow(since: number): Promise<void> {
    try {
      const events = await this.#connection.client.system.events({ since });
      for await (const { event } of events) this.#take(event);
    } catch {
      // The engine or the watch has ended; whoever waits is told by the time.
    }
  }

  #take(event: AppEvent): void {
    if (event.kind === 'account') this.account = event.account;
    if (event.kind === 'sphere') this.spheres.set(event.sphere.id, event.sphere);
    if (event.kind === 'item') this.items.set(event.item.id, event.item);
    for (const wake of Array.from(this.#waiting)) wake();
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, withinMs);
      this.#waiting.add(wake);
    });
  }
}
