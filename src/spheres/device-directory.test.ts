import { expect, onTestFinished, test } from 'vitest';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import type { OmemoBundle } from '../omemo/types.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import type { DeviceNodes } from './device-directory.ts';
import { DeviceDirectory } from './device-directory.ts';

const ana = parseBareJid('ana@a.test');
const bundle = (fill: number): OmemoBundle => ({
  identityKey: Uint8Array.of(5, ...Array<number>(32).fill(fill)),
  signedPreKey: { id: 1, publicKey: new Uint8Array(33), signature: new Uint8Array(64) },
  preKeys: [],
});

function directoryOver(nodes: Partial<DeviceNodes>) {
  let nowMs = 0;
  const clock = { now: () => nowMs, monotonic: () => nowMs, sleep: () => Promise.resolve() };
  const folder = new StorageFolder();
  const storage = folder.open();
  onTestFinished(() => {
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const directory = new DeviceDirectory({
    nodes: {
      deviceList: () => Promise.resolve([]),
      bundle: () => Promise.resolve(bundle(1)),
      publishDeviceList: () => Promise.resolve(),
      publishBundle: () => Promise.resolve(),
      ...nodes,
    },
    known: storage.knownDevices,
    clock,
    log: silentLogger,
  });
  return { directory, later: (ms: number) => (nowMs += ms) };
}

test('an account whose list is closed to us has no devices instead of stopping everybody else', async () => {
  const { directory } = directoryOver({ deviceList: () => Promise.reject(new AppError('not-allowed', 'closed')) });
  expect(await directory.deviceIds(ana)).toEqual([]);
});

test('a lost connection is told, for it says nothing about the account', async () => {
  const { directory } = directoryOver({ deviceList: () => Promise.reject(new AppError('disconnected', 'gone')) });
  await expect(directory.deviceIds(ana)).rejects.toMatchObject({ code: 'disconnected' });
});

test('an account without devices is asked again soon, one with devices later', async () => {
  const answers: number[][] = [[], [7], [7, 8]];
  const { directory, later } = directoryOver({ deviceList: () => Promise.resolve(answers.shift() ?? []) });
  expect(await directory.deviceIds(ana)).toEqual([]);
  later(6_000);
  expect(await directory.deviceIds(ana)).toEqual([7]);
  later(60_000);
  expect(await directory.deviceIds(ana)).toEqual([7]);
  later(5 * 60_000);
  expect(await directory.deviceIds(ana)).toEqual([7, 8]);
});

test('an account that is asked anew tells of a device made a moment ago', async () => {
  const answers: number[][] = [[7], [7, 8]];
  const { directory } = directoryOver({ deviceList: () => Promise.resolve(answers.shift() ?? []) });
  expect(await directory.deviceIds(ana)).toEqual([7]);
  expect(await directory.askDeviceIds(ana)).toEqual([7, 8]);
  expect(await directory.deviceIds(ana)).toEqual([7, 8]);
});

test('a device that shows another identity key than before is refused', async () => {
  const bundles = [bundle(1), bundle(2)];
  const { directory } = directoryOver({ bundle: () => Promise.resolve(bundles.shift() ?? bundle(1)) });
  const address = { jid: ana, deviceId: 9 };
  await directory.bundle(address);
  await expect(directory.bundle(address)).rejects.toMatchObject({ code: 'forged' });
});

test('our own device is added to a list that lacks it, bundle first', async () => {
  const done: string[] = [];
  const { directory } = directoryOver({
    deviceList: () => Promise.resolve([3]),
    publishBundle: async (id) => void done.push(`bundle ${id}`),
    publishDeviceList: async (ids) => void done.push(`list ${ids.join(',')}`),
  });
  await directory.publishOwn(ana, 4, bundle(1));
  expect(done).toEqual(['bundle 4', 'list 3,4']);
});

test('news of an account counts when its devices were asked for; a stranger’s news is not kept', async () => {
  const asked: string[] = [];
  const deviceList = (jid: string): Promise<readonly number[]> => {
    asked.push(jid);
    return Promise.resolve([7]);
  };
  const { directory } = directoryOver({ deviceList });
  expect(directory.learn(ana, [7, 8])).toBe(false);
  expect(await directory.deviceIds(ana)).toEqual([7]);
  expect(directory.learn(ana, [7, 8])).toBe(true);
  expect(await directory.deviceIds(ana)).toEqual([7, 8]);
  expect(asked).toEqual([ana]);
});

const refusal = (condition: string) => new AppError('not-found', 'refused', { condition });

test('servers that say nobody is there, or do not answer, are told; a new answer takes it back', async () => {
  const answers = [refusal('service-unavailable'), refusal('remote-server-not-found'), refusal('forbidden')];
  const heard: unknown[] = [];
  const { directory } = directoryOver({
    deviceList: () => {
      const error = answers.shift();
      return error === undefined ? Promise.resolve([7]) : Promise.reject(error);
    },
  });
  directory.onTrouble.on((jid) => heard.push(directory.trouble(jid)));
  for (let asked = 0; asked < 4; asked += 1) await directory.askDeviceIds(ana);
  // An account that shows its devices to nobody is there all the same.
  expect(heard).toEqual(['nobody-there', 'server-silent', null]);
});

test('a server that does not answer in time is told, too', async () => {
  const answers = [Promise.reject(new AppError('timed-out', 'no answer in time')), Promise.resolve([])];
  answers[0]?.catch(() => undefined);
  const { directory } = directoryOver({ deviceList: () => answers.shift() ?? Promise.resolve([7]) });
  expect(await directory.askDeviceIds(ana)).toEqual([]);
  expect(directory.trouble(ana)).toBe('server-silent');
  await directory.askDeviceIds(ana);
  expect(directory.trouble(ana)).toBeNull();
});

test('a message that came back is told of those we wrote to, and remembered of nobody else', async () => {
  const { directory } = directoryOver({});
  directory.bounced(ana, refusal('service-unavailable'));
  expect(directory.trouble(ana)).toBeNull();
  await directory.deviceIds(ana);
  directory.bounced(ana, refusal('service-unavailable'));
  expect(directory.trouble(ana)).toBe('nobody-there');
  await directory.askDeviceIds(ana);
  expect(directory.trouble(ana)).toBe('nobody-there');
});

test('a device that comes on our list while our bundle goes out is not forgotten over it', async () => {
  const bundleIsThere = Promise.withResolvers<void>();
  const { directory } = directoryOver({
    deviceList: () => Promise.resolve([1]),
    publishBundle: () => bundleIsThere.promise,
  });
  await directory.deviceIds(ana);
  const publishing = directory.publishOwn(ana, 1, bundle(1));
  await new Promise((resolve) => setImmediate(resolve));
  expect(directory.learn(ana, [1, 2])).toBe(true);
  bundleIsThere.resolve();
  await publishing;
  expect(await directory.deviceIds(ana)).toEqual([1, 2]);
});
