import type { Clock } from '../base/clock.ts';
import type { DeviceKey, EventId, SphereId } from '../base/id.ts';
import { Throttle } from '../base/throttle.ts';
import type { Storage } from '../storage/storage.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface ReadingDeps {
  readonly list: SphereList;
  readonly storage: Storage;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  /** Something stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
}

/** What is read in one breath is told at once; in a lively conversation it is told every so often. */
const TOLD = { burst: 1, intervalMs: 3_000 };
/** As many as fit into an event. */
const MAX_MARKS = 64;

/** Remembers what the person has seen, and tells the person's other devices and the other members. */
export class Reading {
  readonly #deps: ReadingDeps;
  readonly #telling: Throttle;

  constructor(deps: ReadingDeps) {
    this.#deps = deps;
    this.#telling = new Throttle({ ...deps, ...TOLD });
  }

  /** All lines of a sphere, or the shared items only, are on the person's screen. */
  markRead(sphereId: SphereId, what: 'all' | 'items'): void {
    const { list, storage } = this.#deps;
    const sphere = list.get(sphereId);
    const changed = storage.messages.markRead(sphereId, what === 'all' ? null : 'item');
    if (changed === 0) return;
    list.announce(sphere, []);
    this.#tell(sphere);
  }

  /** What was read before the program ended, and not told. */
  start(): void {
    for (const sphere of this.#deps.list.all()) this.#tell(sphere);
  }

  #tell(sphere: Sphere): void {
    this.#deps.spawn('tell what was read', () =>
      this.#telling.run(sphere.id, () => {
        this.#tellNow(sphere);
        return Promise.resolve();
      }),
    );
  }

  #tellNow(sphere: Sphere): void {
    const { state } = sphere.row;
    // Nobody to tell, or nobody who would listen.
    if (state === 'left' || state === 'removed' || sphere.state.devices.size < 2) return;
    const marks = this.#newMarks(sphere);
    const line = this.#newLine(sphere);
    if (marks.length === 0 && line === undefined) return;
    for (let from = 0; from === 0 || from < marks.length; from += MAX_MARKS) {
      const body = { marks: marks.slice(from, from + MAX_MARKS), ...(from === 0 && line !== undefined && { line }) };
      this.#deps.list.publish(sphere, 'read', body, { audience: { kind: 'certified' } });
    }
    this.#deps.queued();
  }

  /** The newest line of an ordinary XMPP program that the person has seen, when that is not told yet. */
  #newLine({ id, log, person }: Sphere): EventId | undefined {
    const line = this.#deps.storage.messages.newestReadLine(id);
    return line === undefined || log.annotations.isLineTold(person, line) ? undefined : line;
  }

  /** What lies before the first unread line of each device and is not told yet, as far as nothing is missing. */
  #newMarks({ id, log, person }: Sphere): { device: DeviceKey; sequence: number }[] {
    const { messages, events } = this.#deps.storage;
    const unread = messages.firstUnread(id);
    const told = log.annotations.readBy(person);
    return [...log.heads().keys()].flatMap((device) => {
      const before = told.get(device) ?? -1;
      const end = Math.min(log.unbrokenEnd(device, before), (unread.get(device) ?? Infinity) - 1);
      const sequence = end <= before ? undefined : events.lastShown(id, device, end);
      return sequence === undefined || sequence <= before ? [] : [{ device, sequence }];
    });
  }
}
