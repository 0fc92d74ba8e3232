import { describe, expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { AppEvent, SequencedEvent, Snapshot } from '../../contract/views.ts';
import { emptyWorld } from '../stores/world-state.ts';
import type { EngineClient, Transport } from './engine-client.ts';
import { EngineConnection, isGone, type ConnectionState } from './engine-connection.ts';

const notice = (code: string): AppEvent => ({ kind: 'notice', code, params: {} });

function snapshotAt(seq: number): Snapshot {
  const { swarm, limits } = emptyWorld();
  return {
    seq,
    version: '1',
    account: null,
    spheres: [],
    invitations: [],
    people: [],
    pictures: [],
    items: [],
    jobs: [],
    swarm,
    limits,
  };
}

/** One line whose engine side is moved by the test. */
class FakeLine implements Transport {
  readonly asked: number[] = [];
  snapshotSeq = 1;
  readonly closed: Promise<AppError>;
  #end: (reason: AppError) => void = () => undefined;
  #next: ((step: SequencedEvent | Error) => void) | null = null;
  readonly #queue: (SequencedEvent | Error)[] = [];
  readonly client: EngineClient;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
    // Only the calls that the connection itself makes are needed here.
    this.client = {
      system: {
        snapshot: () => Promise.resolve(snapshotAt(this.snapshotSeq)),
        events: ({ since }: { since: number }) => {
          this.asked.push(since);
          return Promise.resolve(this.#events());
        },
        sync: () => new Promise(() => undefined),
        status: () => Promise.reject(Object.assign(new Error('no'), { code: 'disk-full' })),
      },
    } as unknown as EngineClient;
  }

  push(step: SequencedEvent | Error): void {
    const next = this.#next;
    this.#next = null;
    if (next === null) this.#queue.push(step);
    else next(step);
  }

  close(reason = new AppError('disconnected', 'gone')): void {
    this.#end(reason);
  }

  async *#events(): AsyncGenerator<SequencedEvent> {
    for (;;) {
      const step =
        this.#queue.shift() ??
        (await new Promise<SequencedEvent | Error>((resolve) => {
          this.#next = resolve;
        }));
      if (step instanceof Error) throw step;
      yield step;
    }
  }
}

/** Sleeps end when the test says so. */
class ManualClock implements Clock {
  readonly sleeps: { readonly ms: number; readonly wake: () => void }[] = [];
  now = (): number => 0;
  monotonic = (): number => 0;
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.sleeps.push({ ms, wake: resolve });
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
}

function start(answers: (FakeLine | AppError)[]) {
  const clock = new ManualClock();
  const states: ConnectionState[] = [];
  const heard: string[] = [];
  const connection = new EngineConnection({
    clock,
    random: () => 1,
    open: () => {
      const answer = answers.shift() ?? new AppError('disconnected', 'none left');
      return answer instanceof AppError ? Promise.reject(answer) : Promise.resolve(answer);
    },
    listener: {
      onState: (state) => states.push(state),
      onSnapshot: (snapshot) => heard.push(`snapshot ${snapshot.seq}`),
      onEvent: (event) => heard.push(event.kind === 'notice' ? event.code : event.kind),
    },
  });
  const running = connection.run();
  const kinds = (): string[] => states.map((state) => state.kind);
  return { connection, clock, states, kinds, heard, running };
}

describe('the connection to the engine', () => {
  test('takes a snapshot, then the events that follow it, each once', async () => {
    const line = new FakeLine();
    line.snapshotSeq = 7;
    const { connection, heard, kinds } = start([line]);
    await settle();
    line.push({ seq: 7, event: notice('old') });
    line.push({ seq: 8, event: notice('new') });
    line.push({ seq: 8, event: notice('again') });
    await settle();
    expect(line.asked).toEqual([7]);
    expect(heard).toEqual(['snapshot 7', 'new']);
    expect(kinds()).toEqual(['connecting', 'online']);
    connection[Symbol.dispose]();
  });

  test('takes a new snapshot on the same line when the engine no longer has the events', async () => {
    const line = new FakeLine();
    const { connection, heard } = start([line]);
    await settle();
    line.snapshotSeq = 900;
    line.push(new AppError('conflict', 'too long ago'));
    await settle();
    line.push({ seq: 901, event: notice('after') });
    await settle();
    expect(heard).toEqual(['snapshot 1', 'snapshot 900', 'after']);
    expect(line.asked).toEqual([1, 900]);
    connection[Symbol.dispose]();
  });

  test('says restarting when the line is lost, and begins again with a snapshot', async () => {
    const [first, second] = [new FakeLine(), new FakeLine()];
    second.snapshotSeq = 40;
    const { connection, clock, heard, kinds } = start([first, new AppError('disconnected', 'still down'), second]);
    await settle();
    first.close();
    await settle();
    expect(kinds().at(-1)).toBe('restarting');
    clock.sleeps[0]?.wake();
    await settle();
    clock.sleeps[1]?.wake();
    await settle();
    expect(kinds()).toEqual(['connecting', 'online', 'restarting', 'restarting', 'online']);
    expect(heard).toEqual(['snapshot 1', 'snapshot 40']);
    connection[Symbol.dispose]();
  });

  test('no longer speaks of a restart when the engine stays away, and goes on looking for it', async () => {
    const line = new FakeLine();
    const away = start([line]);
    await settle();
    line.close();
    await settle();
    while (!away.states.some(isGone)) {
      away.clock.sleeps.at(-1)?.wake();
      await settle();
    }
    const waitedMs = away.clock.sleeps.slice(0, -1).reduce((sum, { ms }) => sum + ms, 0);
    expect(waitedMs).toBeGreaterThan(10_000);
    expect(waitedMs).toBeLessThan(30_000);
    away.connection[Symbol.dispose]();
  });

  test('waits longer after each attempt that failed, and not at all when the person asks', async () => {
    const down = () => new AppError('disconnected', 'down');
    const line = new FakeLine();
    const { connection, clock, kinds } = start([down(), down(), down(), line]);
    await settle();
    clock.sleeps[0]?.wake();
    await settle();
    clock.sleeps[1]?.wake();
    await settle();
    const waits = clock.sleeps.map(({ ms }) => ms);
    expect(waits).toEqual([300, 600, 1200]);
    connection.retryNow();
    await settle();
    expect(kinds().at(-1)).toBe('online');
    connection[Symbol.dispose]();
  });

  test('stops for good when the engine does not know this page', async () => {
    const { clock, kinds, running } = start([new AppError('not-allowed', 'no session')]);
    await running;
    expect(kinds()).toEqual(['connecting', 'refused']);
    expect(clock.sleeps).toEqual([]);
  });

  test('stops for good when an open line is closed because the session has ended', async () => {
    const line = new FakeLine();
    const { kinds, running } = start([line]);
    await settle();
    line.close(new AppError('not-allowed', 'session ended'));
    await running;
    expect(kinds()).toEqual(['connecting', 'online', 'refused']);
  });

  test('a pending call fails with disconnected when the line is lost', async () => {
    const line = new FakeLine();
    const { connection } = start([line]);
    await settle();
    const pending = connection.call((client) => client.system.sync());
    line.close();
    await expect(pending).rejects.toMatchObject({ code: 'disconnected' });
    await settle();
    await expect(connection.call((client) => client.system.sync())).rejects.toMatchObject({ code: 'disconnected' });
    connection[Symbol.dispose]();
  });

  test('an answer is forgotten once it was given, however long the line lives', async () => {
    const line = new FakeLine();
    const { connection } = start([line]);
    await settle();
    let waitingForTheEnd = 0;
    const { closed } = line;
    const get = (): typeof closed => {
      waitingForTheEnd += 1;
      return closed;
    };
    Object.defineProperty(line, 'closed', { get });
    for (let call = 0; call < 5; call += 1) await connection.call(() => Promise.resolve(call));
    expect(waitingForTheEnd).toBe(0);
    connection[Symbol.dispose]();
  });

  test('a refused call keeps the reason the engine gave', async () => {
    const { connection } = start([new FakeLine()]);
    await settle();
    await expect(connection.call((client) => client.system.status())).rejects.toMatchObject({ code: 'disk-full' });
    connection[Symbol.dispose]();
  });
});
