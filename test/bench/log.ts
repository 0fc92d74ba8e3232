import { systemClock } from '../../src/base/system-clock.ts';
import type { MessageRow } from '../../src/storage/message-table.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { Sphere } from '../../src/spheres/sphere.ts';
import type { SignedEvent } from '../../src/spheres/protocol/event.ts';
import { parseEvent } from '../../src/spheres/protocol/event.ts';
import { SphereLog } from '../../src/spheres/protocol/sphere-log.ts';
import { createPerson, isDeviceProven } from '../fixtures/protocol/people.ts';
import { admit, foundWorld, settle } from '../fixtures/protocol/sphere-world.ts';
import { StorageFolder } from '../fixtures/storage.ts';
import { sphere as sphereRow } from '../fixtures/storage-rows.ts';
import type { BenchOptions, BenchResult, Bar } from './parts/report.ts';
import { compare, runBench } from './parts/report.ts';

/** A sphere of years: 10 000 items among 90 000 messages of six people. There is no peer with a log like this. */
const EVENTS = 100_000;
const ITEM_EVERY = 10;
const PAGE = 50;
/** One after the other, as they come while people talk. */
const LATE = 200;

interface World {
  readonly sphereId: SphereLog['sphereId'];
  readonly events: readonly SignedEvent[];
  readonly author: ReturnType<typeof createPerson>['author'];
}

function buildWorld(): World {
  const ana = createPerson('ana');
  const { owner, sphereId } = foundWorld(ana);
  const guests = ['ben', 'eve', 'zoe', 'kim', 'max'].map((name) => admit(owner, createPerson(name)));
  const writers = [owner, ...guests];
  settle(...writers);
  const foundation = owner.log.events();
  const all: SignedEvent[] = [...foundation];
  // Two of the six talk at the same time again and again.
  for (let number = 0; all.length < EVENTS; number += 1) {
    const writer = writers[number % writers.length] ?? owner;
    const event = (
      number % ITEM_EVERY === 0 ? writer.share(`film ${number}`) : writer.say(`line ${number}`)
    ) as SignedEvent;
    const next = writers[(number + 1) % writers.length];
    if (number % 7 !== 0) for (const other of new Set([next])) other?.log.addAll([event]);
    all.push(event);
  }
  return { sphereId, events: all, author: ana.author };
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

function seconds(work: () => void): number {
  const before = performance.now();
  work();
  return (performance.now() - before) / 1000;
}

function measureRound({ sphereId, events, author }: World, storage: ReturnType<typeof openStorage>) {
  const deps = { sphereId, isDeviceProven };
  const mixed = shuffled(events);
  const check = seconds(() => mixed.slice(0, EVENTS / 10).forEach((event) => parseEvent(event.bytes, event.signature)));
  const log = new SphereLog(deps);
  const merge = seconds(() => {
    log.addAll(mixed);
    if (log.state().items.size < EVENTS / ITEM_EVERY / 2) throw new Error('items are missing');
  });
  const grown = new SphereLog(deps);
  grown.addAll(events.slice(0, -LATE));
  grown.state();
  const one = seconds(() => {
    for (const event of events.slice(-LATE)) {
      grown.add(event);
      grown.state();
    }
  });
  const { took: start, sphere } = openSphere({ sphereId, events, author }, storage);
  const open = seconds(() => {
    const { state } = sphere;
    const lines = storage.messages.newest(sphereId, PAGE);
    const heads = sphere.log.tips().length;
    if (state.members.size !== 6 || lines.length !== PAGE || heads !== 6) throw new Error('the sphere is not whole');
  });
  return { check, merge, one: (one / LATE) * 1000, start, open: open * 1000 };
}

function openSphere({ sphereId, author }: World, storage: ReturnType<typeof openStorage>) {
  const deps = { id: sphereId, storage, author, clock: systemClock, find: () => undefined };
  let sphere: Sphere | undefined;
  const took = seconds(() => (sphere = new Sphere(deps)));
  if (sphere === undefined) throw new Error('the sphere is not open');
  return { took, sphere };
}

function measure({ rounds }: BenchOptions): Promise<BenchResult[]> {
  using folder = new StorageFolder();
  using storage = openStorage(folder.deps());
  const world = buildWorld();
  fill(storage, world);
  const { took: first } = openSphere(world, storage);
  const samples = Array.from({ length: rounds }, () => measureRound(world, storage));
  const line = (name: string, unit: string, values: readonly number[], bar: Bar | null): BenchResult =>
    compare({ name, unit, peerName: null, bar, samples: values.map((ours) => ({ ours, peer: null })) });
  const count = EVENTS.toLocaleString('en');
  const atMost = (value: number): Bar => ({ op: '<=', value, of: 'ours' });
  return Promise.resolve([
    line(
      `merge ${count} events in any order`,
      's',
      samples.map(({ merge }) => merge),
      atMost(5),
    ),
    line(
      `open a sphere with ${count} events`,
      'ms',
      samples.map(({ open }) => open),
      atMost(100),
    ),
    line(
      'take one more event',
      'ms',
      samples.map(({ one }) => one),
      null,
    ),
    line(
      'start: read them all from the disk',
      's',
      samples.map(({ start }) => start),
      atMost(2),
    ),
    line('the same for the first time', 's', [first], null),
    line(
      'check form and signature of a tenth',
      's',
      samples.map(({ check }) => check),
      null,
    ),
  ]);
}

function fill(storage: ReturnType<typeof openStorage>, { sphereId, events }: World): void {
  storage.transaction(() => {
    storage.spheres.put({ ...sphereRow, id: sphereId });
    for (const event of events) {
      const { device, sequence, lamport, type, wallMs: atMs } = event.header;
      const { id, bytes, signature } = event;
      storage.events.add({ id, sphereId, bytes, signature, device, sequence, lamport, type, receivedAtMs: atMs });
      const line: Omit<MessageRow, 'order' | 'place'> = {
        ...{ id, sphereId, from: sphereRow.room, kind: 'text', text: 'hello', itemId: null, atMs, lamport },
        ...{ state: 'received', failure: null, encrypted: true, replyTo: null, read: false },
      };
      storage.messages.add(line);
    }
  });
}

await runBench('log', measure, { rounds: 3 });
