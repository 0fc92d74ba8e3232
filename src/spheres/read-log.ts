import { AppError } from '../base/errors.ts';
import type { EventId, SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { SignedEvent } from './protocol/event.ts';
import { readStoredEvent } from './protocol/event.ts';
import type { EventKeeper } from './protocol/log-page.ts';
import { decodePage, encodePage, isForPage } from './protocol/log-page.ts';

/** Events of a page, and of what is read from the database together. */
const TOGETHER = 1000;

interface ReadLogDeps {
  readonly sphereId: SphereId;
  readonly storage: Pick<Storage, 'events' | 'logPages' | 'transaction' | 'keep'>;
  readonly together?: number;
}

/**
 * All events of a sphere, in the order of the log. Most of a long one come from pages, each of which is opened at once;
 * which events there are is said by the events themselves, so that a page can be old, damaged or missing.
 */
export function readLog({ sphereId, storage, together = TOGETHER }: ReadLogDeps): SignedEvent[] {
  keepGathered(storage);
  const ids = storage.events.ids(sphereId);
  const paged = readPages({ sphereId, storage }, new Set(ids));
  const unpaged = ids.filter((id) => !paged.has(id));
  for (let from = 0; from < unpaged.length; from += together) {
    const some = storage.events.some(unpaged.slice(from, from + together)).map((row) => readStoredEvent(row));
    for (const event of some) paged.set(event.id, event);
    if (some.length === together) keepPage({ sphereId, storage }, some.filter(isForPage));
  }
  return ids.flatMap((id) => paged.get(id) ?? []);
}

function readPages({ sphereId, storage }: ReadLogDeps, here: ReadonlySet<EventId>): Map<EventId, SignedEvent> {
  const keeper: EventKeeper = { sphereId, find: findingIn(storage) };
  const read = new Map<EventId, SignedEvent>();
  const shared = new Map<string, string>();
  for (const page of storage.logPages.ids(sphereId)) {
    const events = decodePage(storage.logPages.get(page), keeper, shared);
    // Nothing that was erased stays in one.
    if (events.length === 0 || !events.every(({ id }) => here.has(id)))
      whereThereIsRoom(() => storage.logPages.remove(page));
    else for (const event of events) read.set(event.id, event);
  }
  return read;
}

/** Before it is read: to keep a page would end it in the middle, and what is lost then would have been read already. */
function keepGathered(storage: ReadLogDeps['storage']): void {
  try {
    storage.keep();
  } catch (error) {
    // Whoever gathered it was told that it is lost.
    if (!(error instanceof AppError)) throw error;
  }
}

function keepPage({ sphereId, storage }: ReadLogDeps, events: readonly SignedEvent[]): void {
  if (events.length === 0) return;
  whereThereIsRoom(() => storage.transaction(() => storage.logPages.add(sphereId, encodePage(events)), 'later'));
}

/** The log is read on a full disk too: its pages are changed at another start then. */
function whereThereIsRoom(change: () => unknown): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
}

/** The last one is remembered: whoever asks for the bytes of an event asks for its signature next. */
function findingIn({ events }: Pick<Storage, 'events'>): EventKeeper['find'] {
  let last: Pick<SignedEvent, 'id' | 'bytes' | 'signature'> | undefined;
  return (id) => {
    if (last?.id !== id) last = events.some([id])[0];
    return last ?? goneEvent(id);
  };
}

function goneEvent(id: EventId): never {
  throw new AppError('not-found', 'the event is gone', { id });
}
