import { expect, onTestFinished, test } from 'vitest';
import type { TestDevice } from '../../test/fixtures/omemo-devices.ts';
import { noSignal, OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { ListedDevices, openReaders } from '../../test/fixtures/talk-readers.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { toHex } from '../base/bytes.ts';
import type { BareJid } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { Omemo } from '../omemo/omemo.ts';
import type { KeysOfPerson } from './talk-devices.ts';

const ANA = parseBareJid('ana@a.test');
const BEN = parseBareJid('ben@b.test');
const MINUTE = 60_000;

/** Ana writes to Ben; each has a computer, a telephone that it vouches for, and a device that a server put into the list. */
async function setUp() {
  const folder = new StorageFolder();
  const storage = folder.open();
  const clock = new VirtualClock();
  const all = new OmemoDevices();
  const [his, hisPhone, hisPlanted] = [await all.add(BEN), await all.add(BEN), await all.add(BEN)];
  const [laptop, phone, planted] = [await all.add(ANA), await all.add(ANA), await all.add(ANA)];
  const omemo = await Omemo.open({ store: storage.omemo, own: ANA, clock, random: systemRandom, log: silentLogger });
  const devices = new ListedDevices();
  const asked: number[] = [];
  devices.bundle = (address) => {
    asked.push(address.deviceId);
    const bundle = all.bundleOf(address);
    if (storage.knownDevices.get(address.jid, address.deviceId) === undefined) {
      storage.knownDevices.learn(address.jid, address.deviceId, bundle.identityKey, clock.now());
    }
    return Promise.resolve(bundle);
  };
  const idsOf = (...some: readonly TestDevice[]): number[] => some.map(({ address }) => address.deviceId);
  devices.lists.set(BEN, idsOf(his, hisPhone, hisPlanted));
  devices.lists.set(ANA, [omemo.deviceId, ...idsOf(laptop, phone, planted)]);
  const keys = new Map<BareJid, KeysOfPerson>();
  const keysOf = (jid: BareJid): KeysOfPerson | null => keys.get(jid) ?? null;
  const mail = { isRead: true };
  const isMailRead = (): boolean => mail.isRead;
  const { readers, encryption, stop } = openReaders({ storage, omemo, own: ANA, devices, clock, keysOf, isMailRead });
  onTestFinished(() => {
    stop();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const compare = (): void => {
    keys.set(BEN, vouching([his], [hisPhone]));
    keys.set(ANA, vouching([laptop], [phone]));
  };
  const others = { his, hisPhone, hisPlanted, laptop, phone, planted };
  /** Who could read a line to Ben that is sent now. */
  const reading = async (): Promise<string[]> => {
    const { message } = await encryption.encrypt(BEN, 'between us', noSignal);
    const named = Object.entries(others);
    return named.flatMap(([name, { address: at }]) =>
      message.keys.some(({ deviceId }) => deviceId === at.deviceId) ? [name] : [],
    );
  };
  return { ...others, clock, storage, devices, mail, keys, asked, readers, compare, reading, all };
}

function vouching(certified: readonly TestDevice[], vouched: readonly TestDevice[]): KeysOfPerson {
  const keysOf = (devices: readonly TestDevice[]) =>
    new Map(devices.map(({ omemo, address }) => [toHex(omemo.identityKey), address.deviceId]));
  return { certified: keysOf(certified), vouched: keysOf(vouched) };
}

const everybody = ['his', 'hisPhone', 'hisPlanted', 'laptop', 'phone', 'planted'];

test('before a person is compared all devices of both read what is said', async () => {
  const { reading, readers } = await setUp();
  expect(await reading()).toEqual(everybody);
  expect([readers.list(BEN), readers.list(ANA)]).toEqual([[], []]);
});

test('once a person is compared only certified devices and those they vouch for read, of theirs and of ours', async () => {
  const { reading, compare } = await setUp();
  // Also those with whom there is a session from before.
  expect(await reading()).toEqual(everybody);
  compare();
  expect(await reading()).toEqual(['his', 'hisPhone', 'laptop', 'phone']);
});

test('a device that nobody vouches for reads once it is let in, and no more when it is left out again', async () => {
  const { reading, compare, readers, clock, hisPlanted, planted } = await setUp();
  compare();
  await reading();
  await clock.advance(3 * MINUTE);
  const { deviceId } = hisPlanted.address;
  expect(readers.list(BEN)).toMatchObject([{ deviceId, choice: 'open' }]);
  await readers.choose({ jid: BEN, deviceId, choice: 'let-in' }, noSignal);
  await readers.choose({ jid: ANA, deviceId: planted.address.deviceId, choice: 'let-in' }, noSignal);
  expect(await reading()).toEqual(everybody);
  await readers.choose({ jid: BEN, deviceId, choice: 'left-out' }, noSignal);
  expect(await reading()).toEqual(['his', 'hisPhone', 'laptop', 'phone', 'planted']);
  expect(readers.list(BEN)).toMatchObject([{ deviceId, choice: 'left-out' }]);
});

test('a device that was let in keeps its key: another one under its number reads nothing', async () => {
  const { compare, readers, clock, hisPlanted, his, reading } = await setUp();
  compare();
  await reading();
  await clock.advance(3 * MINUTE);
  const { address, omemo } = hisPlanted;
  await readers.choose({ jid: BEN, deviceId: address.deviceId, choice: 'let-in' }, noSignal);
  const { trusts } = readers.readersWith(BEN);
  expect(trusts(address, omemo.identityKey, 'new')).toBe(true);
  expect(trusts(address, new Uint8Array(33).fill(5), 'new')).toBe(false);
  // Nor does one under the number of a certified device.
  expect(trusts(his.address, omemo.identityKey, 'new')).toBe(false);
});

test('what was left out by hand stays out also where nobody was compared', async () => {
  const { compare, keys, readers, clock, planted, hisPlanted, reading } = await setUp();
  compare();
  await reading();
  await clock.advance(3 * MINUTE);
  await readers.choose({ jid: ANA, deviceId: planted.address.deviceId, choice: 'left-out' }, noSignal);
  keys.delete(BEN);
  await readers.choose({ jid: BEN, deviceId: hisPlanted.address.deviceId, choice: 'let-in' }, noSignal);
  expect(await reading()).toEqual(['his', 'hisPhone', 'hisPlanted', 'laptop', 'phone']);
});

test('a device that was said to get nothing gets nothing when the numbers turn out to differ', async () => {
  const { compare, keys, readers, clock, hisPlanted, reading } = await setUp();
  compare();
  await reading();
  await clock.advance(3 * MINUTE);
  keys.delete(BEN);
  // Of our own account the person is asked by itself.
  expect(await reading()).toEqual(['his', 'hisPhone', 'laptop', 'phone', 'planted']);
  expect(readers.list(BEN)).toMatchObject([{ deviceId: hisPlanted.address.deviceId, choice: 'open' }]);
});

test('our own devices read although nobody has vouched for any of them yet', async () => {
  const { compare, keys, reading } = await setUp();
  compare();
  keys.delete(ANA);
  expect(await reading()).toEqual(['his', 'hisPhone', 'laptop', 'phone', 'planted']);
});

test('a device that is vouched for before it is listed brings the news as well, and the news come once', async () => {
  const { compare, clock, devices, keys, readers, his, hisPhone, hisPlanted, reading } = await setUp();
  compare();
  const vouched: BareJid[] = [];
  readers.onVouched.on((jid) => vouched.push(jid));
  devices.lists.set(BEN, []);
  readers.refused(BEN);
  keys.set(BEN, vouching([his, hisPlanted], [hisPhone]));
  readers.lookAgain();
  expect(vouched).toEqual([]);
  // Nobody tells us of the list: it is asked for.
  devices.lists.set(BEN, [hisPlanted.address.deviceId]);
  await clock.advance(3 * MINUTE);
  expect(vouched).toEqual([BEN]);
  readers.refused(BEN);
  await reading();
  readers.lookAgain();
  await clock.advance(10 * MINUTE);
  expect(vouched).toEqual([BEN]);
});

test('a program of our own that our computers vouch for can be left out', async () => {
  const { compare, readers, phone, reading } = await setUp();
  compare();
  const { deviceId } = phone.address;
  expect(readers.list(ANA)).toMatchObject([{ deviceId, choice: 'let-in' }]);
  await readers.choose({ jid: ANA, deviceId, choice: 'left-out' }, noSignal);
  expect(await reading()).toEqual(['his', 'hisPhone', 'laptop']);
});

test('when nobody vouches for any device of theirs the line does not leave, and says at once about which devices it is', async () => {
  const { compare, devices, readers, hisPlanted, reading } = await setUp();
  compare();
  devices.lists.set(BEN, [hisPlanted.address.deviceId]);
  await expect(reading()).rejects.toMatchObject({ code: 'not-vouched' });
  expect(readers.list(BEN)).toMatchObject([{ deviceId: hisPlanted.address.deviceId, choice: 'open' }]);
  await readers.choose({ jid: BEN, deviceId: hisPlanted.address.deviceId, choice: 'let-in' }, noSignal);
  expect(await reading()).toContain('hisPlanted');
});

test('a device that is left out is asked for its keys once, not with each line', async () => {
  const { compare, asked, reading, hisPlanted } = await setUp();
  compare();
  await reading();
  await reading();
  expect(asked.filter((id) => id === hisPlanted.address.deviceId)).toHaveLength(1);
});

test('a new computer that is certified a moment after it was listed is asked about by nobody', async () => {
  const { compare, clock, devices, keys, readers, his, hisPhone, hisPlanted } = await setUp();
  compare();
  const strange: BareJid[] = [];
  readers.onStrange.on((jid) => strange.push(jid));
  await devices.deviceIds(BEN);
  await clock.advance(MINUTE);
  keys.set(BEN, vouching([his, hisPlanted], [hisPhone]));
  await clock.advance(2 * MINUTE);
  expect([strange, readers.list(BEN)]).toEqual([[], []]);
});

test('of a device that is not listed any more, or vouched for since, nothing is asked, and each is told once', async () => {
  const { compare, clock, devices, keys, readers, his, hisPhone, hisPlanted } = await setUp();
  compare();
  const strange: BareJid[] = [];
  readers.onStrange.on((jid) => strange.push(jid));
  const heard = async (): Promise<void> => {
    await devices.deviceIds(BEN);
    await clock.advance(3 * MINUTE);
  };
  await heard();
  await heard();
  expect(strange).toEqual([BEN]);
  keys.set(BEN, vouching([his], [hisPhone, hisPlanted]));
  expect(readers.list(BEN)).toEqual([]);
  compare();
  devices.lists.set(BEN, [his.address.deviceId]);
  await heard();
  expect(readers.list(BEN)).toEqual([]);
});

test('a computer of ours that came while this one was away is asked about only once what it said of itself was read', async () => {
  const { compare, clock, devices, mail, keys, readers, laptop, phone, planted } = await setUp();
  compare();
  mail.isRead = false;
  await devices.deviceIds(ANA);
  await clock.advance(20 * MINUTE);
  expect(readers.list(ANA)).toMatchObject([{ deviceId: phone.address.deviceId, choice: 'let-in' }]);
  keys.set(ANA, vouching([laptop], []));
  mail.isRead = true;
  await clock.advance(3 * MINUTE);
  const asked = readers.list(ANA).map(({ deviceId, choice }) => ({ deviceId, choice }));
  expect(asked).toEqual([phone, planted].map(({ address: { deviceId } }) => ({ deviceId, choice: 'open' })));
});
