import { expect, onTestFinished, test } from 'vitest';
import { createPerson } from '../../test/fixtures/protocol/people.ts';
import { foundWorld } from '../../test/fixtures/protocol/sphere-world.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { sphere as storedSphere } from '../../test/fixtures/storage-rows.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { attachment } from './protocol/envelope.ts';
import { epochCommitment, generateEpochKey } from './protocol/epoch.ts';
import type { Author, SignedEvent } from './protocol/event.ts';
import { buildAnyEvent } from './protocol/event.ts';
import { foundSphere } from './protocol/found-sphere.ts';
import type { DeviceSigningKey, PersonSigningKey } from './protocol/keys.ts';
import { generateSigningKey } from './protocol/keys.ts';
import { certifyDevice } from './protocol/certificate.ts';
import type { ChangedSphere } from './sphere-list.ts';
import { SphereList } from './sphere-list.ts';

const own = parseBareJid('ana@one.test');

/** A sphere of our own with one certified device and no epoch yet. */
function found() {
  const folder = new StorageFolder();
  const storage = folder.open();
  onTestFinished(() => {
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const person: PersonSigningKey = generateSigningKey(systemRandom);
  const device: DeviceSigningKey = generateSigningKey(systemRandom);
  const author: Author = { person: person.id, device };
  const list = new SphereList({ storage, author, own, clock: systemClock, log: silentLogger });
  const founding = foundSphere(
    { author, random: systemRandom, wallMs: 1 },
    { name: 'Family', room: storedSphere.room, ownerJid: own, policy: { history: 'all' } },
  );
  const sphere = list.add({ ...storedSphere, id: founding.sphereId }, (fresh) => {
    list.take(fresh, [founding.event]);
    const body = certifyDevice({ person, device: device.id, vouched: [] }, null);
    list.publish(fresh, 'device', body, { audience: { kind: 'members' } });
  });
  /** Starts an epoch with this number; its key is kept unless it is on its way only. */
  const startEpoch = (number: number, isKeyHere = true) => {
    const key = generateEpochKey(systemRandom);
    const body = { number, commitment: epochCommitment(key), reason: 'start' as const };
    const attachments = isKeyHere ? [attachment('epoch-key', key)] : [];
    return list.publish(sphere, 'epoch', body, { audience: { kind: 'certified' }, attachments }).id;
  };
  return { list, sphere, storage, startEpoch };
}

test('of epochs with one number everybody seals under the same one', () => {
  const { sphere, startEpoch } = found();
  const first = startEpoch(0);
  for (let more = 0; more < 8; more += 1) startEpoch(0);
  expect(sphere.state.currentEpoch?.id).toBe(first);
  expect(sphere.currentEpoch.eventId).toBe(first);
  expect(sphere.epochs[0]?.eventId).toBe(first);
});

test('while the key of the current epoch is on its way nothing is sealed under an older one', () => {
  const { sphere, startEpoch } = found();
  const old = startEpoch(0);
  startEpoch(1, false);
  expect(sphere.epochs.map(({ eventId }) => eventId)).toEqual([old]);
  expect(() => sphere.currentEpoch).toThrow('has not told us its key yet');
});

test('what belongs together is kept together and told once, when it is kept', () => {
  const { storage, list, sphere, startEpoch } = found();
  const told: (readonly string[])[] = [];
  list.onChange.on(({ changes }) => told.push(changes.map(({ kind }) => kind)));
  const epoch = list.together(sphere, () => {
    const id = startEpoch(0);
    list.publish(sphere, 'rename', { name: 'Relatives' }, { audience: { kind: 'members' } });
    expect(told).toEqual([]);
    return id;
  });
  expect(told).toEqual([['epochs', 'members']]);
  expect(sphere.epoch(epoch)).toBeDefined();
  expect(storage.outbox.byEvent(epoch)).toHaveLength(1);
});

test('when one part cannot be kept nothing of the rest is, not even in memory, and nobody is told', () => {
  const { storage, list, sphere, startEpoch } = found();
  const told: ChangedSphere[] = [];
  list.onChange.on((change) => told.push(change));
  const before = sphere.log.events().map(({ id }) => id);
  const attempt = (): void =>
    list.together(sphere, () => {
      startEpoch(0);
      throw new Error('the disk is full');
    });
  expect(attempt).toThrow('the disk is full');
  expect(sphere.log.events().map(({ id }) => id)).toEqual(before);
  expect(sphere.epochs).toEqual([]);
  expect(storage.outbox.list('queued')).toHaveLength(1);
  expect(told).toEqual([]);
  // The next event takes the place of the one that failed.
  startEpoch(0);
  expect(sphere.epochs).toHaveLength(1);
});

test('taking a sphere off the list is nobody else’s business', () => {
  const { list, sphere } = found();
  const told: ChangedSphere[] = [];
  list.onChange.on((change) => told.push(change));
  list.update(sphere, { hidden: true });
  list.update(sphere, { state: 'left' });
  expect(told.map(({ changes }) => changes)).toEqual([[], [{ kind: 'members' }]]);
});

const absent = (number: number): string => number.toString(16).padStart(64, '0');

/** An event that waits: nobody knows its device. */
function unknown(
  { sphere }: Pick<ReturnType<typeof found>, 'sphere'>,
  device: DeviceSigningKey,
  sequence = 0,
): SignedEvent {
  const header = {
    ...sphere.log.nextHeader(device.id, 0),
    sequence,
    previous: sequence === 0 ? null : absent(sequence),
  };
  return buildAnyEvent({ person: 'f'.repeat(64), device } as never, header as never, 'message', { sequence });
}

test('events that wait for others are kept up to a bound, of each device and in all, and let those that count pass', () => {
  const parts = found();
  const { list, sphere, storage } = parts;
  const kept = storage.events.count(sphere.id);
  const device: DeviceSigningKey = generateSigningKey(systemRandom);
  const ofOne = Array.from({ length: 300 }, (_, sequence) => unknown(parts, device, sequence));
  list.take(sphere, ofOne);
  expect(sphere.state.held.size).toBe(256);
  expect(ofOne.map(({ id }) => sphere.log.has(id)).lastIndexOf(true)).toBe(255);
  list.take(
    sphere,
    Array.from({ length: 900 }, () => unknown(parts, generateSigningKey(systemRandom))),
  );
  expect(sphere.state.held.size).toBe(1024);
  expect(storage.events.count(sphere.id)).toBe(kept + 1024);
  const said = list.publish(sphere, 'rename', { name: 'Still ours' }, { audience: { kind: 'members' } });
  expect(sphere.log.verdict(said.id)).toEqual({ kind: 'accepted' });
  expect(sphere.state.name).toBe('Still ours');
});

test('an event that was let go is taken when it comes again and there is room', () => {
  const parts = found();
  const { list, sphere } = parts;
  const device: DeviceSigningKey = generateSigningKey(systemRandom);
  const events = Array.from({ length: 257 }, (_, sequence) => unknown(parts, device, sequence));
  list.take(sphere, events);
  const [first, last] = [events.at(0), events.at(-1)];
  if (first === undefined || last === undefined) throw new Error('no events');
  expect(sphere.log.has(last.id)).toBe(false);
  expect(sphere.log.missing().ids).toContain(absent(255));
  expect(sphere.log.missing().ids).not.toContain(absent(256));
  sphere.log.forget([first.id]);
  list.take(sphere, [last]);
  expect(sphere.log.has(last.id)).toBe(true);
});

test('what fills a long gap is judged together, not each event with all that stand behind it', () => {
  const GAP = 150;
  const { owner, sphereId } = foundWorld(createPerson('ana'));
  const missing = Array.from({ length: GAP }, (_, number) => owner.say(`line ${number}`) as SignedEvent);
  const folder = new StorageFolder();
  const storage = folder.open();
  onTestFinished(() => {
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const { author } = createPerson('ben');
  const list = new SphereList({ storage, author, own, clock: systemClock, log: silentLogger });
  let judged = 0;
  const events = owner.log.events();
  const last = owner.say('after the gap') as SignedEvent;
  const sphere = list.add({ ...storedSphere, id: sphereId }, (fresh) => {
    list.take(fresh, [...events.filter((event) => !missing.includes(event)), last]);
  });
  const { header } = last;
  Object.defineProperty(last, 'header', { get: () => ((judged += 1), header) });
  list.take(sphere, missing.slice(0, 1));
  const once = judged;
  list.take(sphere, missing.slice(1));
  expect(sphere.log.size).toBe(events.length + 1);
  expect(judged - once).toBeLessThan(once * 10);
});
