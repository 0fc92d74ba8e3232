import { expect, test, vi } from 'vitest';
import { comparableLog } from '../../test/fixtures/protocol/comparable-log.ts';
import { isDeviceProven } from '../../test/fixtures/protocol/people.ts';
import { randomSphere, seededNumbers } from '../../test/fixtures/protocol/random-sphere.ts';
import { foundWorld } from '../../test/fixtures/protocol/sphere-world.ts';
import { sphere as sphereRow } from '../../test/fixtures/storage-rows.ts';
import { storageOfTest } from '../../test/fixtures/storage-of-test.ts';
import { toHex, toUtf8 } from '../base/bytes.ts';
import type { SphereId } from '../base/id.ts';
import type { Database } from '../storage/database.ts';
import type { Storage } from '../storage/storage.ts';
import type { SignedEvent } from './protocol/event.ts';
import { buildAnyEvent, readStoredEvent } from './protocol/event.ts';
import { entryOf } from './protocol/envelope.ts';
import { encodePage } from './protocol/log-page.ts';
import { sha256Hex } from './protocol/keys.ts';
import { SphereLog } from './protocol/sphere-log.ts';
import { readLog } from './read-log.ts';

const SPHERES = process.env['SPHERECAST_LONG'] === '1' ? 2000 : 15;
/** Few, so that a short log has many pages. */
const TOGETHER = 4;

interface Kept {
  readonly sphereId: SphereId;
  readonly database: Database;
  readonly storage: Storage;
}

function keep(sphereId: SphereId): Kept {
  const { database, storage } = storageOfTest();
  storage.spheres.put({ ...sphereRow, id: sphereId });
  return { sphereId, database, storage };
}

function add({ sphereId, storage }: Kept, events: readonly SignedEvent[]): void {
  for (const { id, bytes, signature, header } of events) {
    const { device, sequence, lamport, type, wallMs } = header;
    storage.events.add({ id, sphereId, bytes, signature, device, sequence, lamport, type, receivedAtMs: wallMs });
  }
}

/** Of all events, each from its own row. */
function readEach({ sphereId, storage }: Kept): SignedEvent[] {
  return storage.events.list(sphereId).map(({ id, bytes, signature }) => readStoredEvent({ id, bytes, signature }));
}

function comparable(sphereId: SphereId, events: readonly SignedEvent[]): string {
  const log = new SphereLog({ sphereId, isDeviceProven });
  log.addAll(events);
  const each = events.map(({ id, type, header, body, bytes, signature }) => {
    return { id, type, header, body, bytes: toHex(bytes), signature: toHex(signature) };
  });
  return sha256Hex(toUtf8(`${comparableLog(log)} ${JSON.stringify(each)}`));
}

/** What a kill, a defect of the disk, or another version may have left of the pages. */
function harm({ database, storage, sphereId }: Kept, next: (limit: number) => number): void {
  for (const id of storage.logPages.ids(sphereId)) {
    const fate = next(6);
    if (fate === 0) storage.logPages.remove(id);
    if (fate === 1)
      database.run('UPDATE log_page SET events = @bytes WHERE id = @id', { id, bytes: new Uint8Array(40) });
    if (fate === 2 && storage.logPages.remove(id))
      storage.logPages.add(sphereId, toUtf8('{"version":0,"events":[[1]]}'));
    if (fate === 3 && storage.logPages.remove(id)) storage.logPages.add(sphereId, toUtf8('{"version":1,"ev'));
  }
}

test(`a log is the same from pages as from its events, whatever came, went or was harmed since, in ${SPHERES} spheres`, () => {
  let paged = 0;
  for (let seed = 0; seed < SPHERES; seed += 1) {
    const next = seededNumbers(seed);
    const { sphereId, events } = randomSphere(seed, 12 + (seed % 30));
    const kept = keep(sphereId);
    const rest = events.toSorted(() => next(3) - 1);
    while (rest.length > 0) {
      add(kept, rest.splice(0, 1 + next(15)));
      const expected = comparable(sphereId, readEach(kept));
      const read = readLog({ ...kept, together: TOGETHER });
      expect(comparable(sphereId, read), `seed ${seed}`).toBe(expected);
      paged += kept.storage.logPages.ids(sphereId).length;
      const erased = next(3) === 0 ? read[next(read.length)] : undefined;
      if (erased !== undefined) kept.storage.events.remove(erased.id);
      harm(kept, next);
    }
  }
  expect(paged).toBeGreaterThan(SPHERES);
}, 3_600_000);

test('of an event that was erased nothing stays in a page after the next start', () => {
  const { sphereId, owner } = foundWorld();
  for (let number = 0; number < 9; number += 1) owner.say(`line ${number}`);
  const kept = keep(sphereId);
  add(kept, owner.log.events());
  const read = readLog({ ...kept, together: TOGETHER });
  const erased = read[5];
  const pages = () => kept.storage.logPages.ids(sphereId).map((id) => kept.storage.logPages.get(id));
  const naming = () => pages().filter((page) => page !== undefined && Buffer.from(page).includes(erased?.id ?? '?'));
  expect(naming()).toHaveLength(1);
  if (erased !== undefined) kept.storage.events.remove(erased.id);
  expect(readLog({ ...kept, together: TOGETHER })).toHaveLength(read.length - 1);
  expect(naming()).toEqual([]);
});

test('a log is read where there is no room for its pages', () => {
  const { sphereId, owner } = foundWorld();
  for (let number = 0; number < 9; number += 1) owner.say(`line ${number}`);
  const kept = keep(sphereId);
  add(kept, owner.log.events());
  const full = `CREATE TEMP TRIGGER full BEFORE INSERT ON log_page BEGIN SELECT RAISE(ABORT, 'no room'); END`;
  kept.database.run(full);
  expect(readLog({ ...kept, together: TOGETHER })).toHaveLength(12);
  expect(kept.storage.logPages.ids(sphereId)).toEqual([]);
});

test('a log is read where nothing can be taken out of its pages', () => {
  const { sphereId, owner } = foundWorld();
  for (let number = 0; number < 9; number += 1) owner.say(`line ${number}`);
  const kept = keep(sphereId);
  add(kept, owner.log.events());
  const erased = readLog({ ...kept, together: TOGETHER })[5];
  if (erased !== undefined) kept.storage.events.remove(erased.id);
  const full = `CREATE TEMP TRIGGER full BEFORE DELETE ON log_page BEGIN SELECT RAISE(ABORT, 'no room'); END`;
  kept.database.run(full);
  const ids = readLog({ ...kept, together: TOGETHER }).map(({ id }) => id);
  expect([ids.length, ids.includes(erased?.id as never)]).toEqual([11, false]);
});

test('to pass on an event of a page its row is read once', () => {
  const { sphereId, owner } = foundWorld();
  for (let number = 0; number < 9; number += 1) owner.say(`line ${number}`);
  const kept = keep(sphereId);
  add(kept, owner.log.events());
  readLog({ ...kept, together: TOGETHER });
  const events = readLog({ ...kept, together: TOGETHER });
  const asked = vi.spyOn(kept.database, 'all');
  const askedForOne = vi.spyOn(kept.database, 'one');
  expect(events.map((event) => entryOf(event))).toEqual(owner.log.events().map((event) => entryOf(event)));
  expect(asked.mock.calls.length + askedForOne.mock.calls.length).toBe(events.length);
});

test('a page is not believed of which messages were read by other rules', () => {
  const { sphereId, owner } = foundWorld();
  const { author } = owner.who;
  const malformed = buildAnyEvent(author, owner.log.nextHeader(author.device.id, 1), 'message', { textSha256: 7 });
  const kept = keep(sphereId);
  add(kept, [...owner.log.events(), malformed]);
  const page = JSON.parse(Buffer.from(encodePage([malformed])).toString()) as Record<string, unknown>;
  kept.storage.logPages.add(sphereId, toUtf8(JSON.stringify({ ...page, rules: 'of another version' })));
  const read = readLog(kept).find(({ id }) => id === malformed.id);
  expect(read?.type).toBe('malformed');
});

test('what was gathered and cannot be kept is not read', () => {
  const { sphereId, owner } = foundWorld();
  for (let number = 0; number < 9; number += 1) owner.say(`line ${number}`);
  const kept = keep(sphereId);
  const events = owner.log.events();
  const [first, ...rest] = events;
  if (first === undefined) throw new Error('no event');
  add(kept, rest);
  kept.storage.gather(
    () => {
      add(kept, [first]);
      kept.database.run('PRAGMA defer_foreign_keys = ON');
      add({ ...kept, sphereId: 'b'.repeat(64) as SphereId }, [foundWorld().owner.say('elsewhere')]);
    },
    () => ({ kept: () => undefined, lost: () => undefined }),
  );
  expect(readLog({ ...kept, together: TOGETHER })).toHaveLength(rest.length);
  expect(readEach(kept)).toHaveLength(rest.length);
});

test('what a later version understands of an event is in its page although this version does not know it', () => {
  const { owner } = foundWorld();
  const { author } = owner.who;
  const item = owner.share('film').body;
  const more = { ...item, later: 'more' };
  const header = owner.log.nextHeader(author.device.id, 1);
  const [known, unknown] = [buildAnyEvent(author, header, 'item', more), buildAnyEvent(author, header, 'poll', more)];
  const page = Buffer.from(encodePage([known, unknown])).toString();
  expect(page.match(/"later":"more"/g)).toHaveLength(2);
});
