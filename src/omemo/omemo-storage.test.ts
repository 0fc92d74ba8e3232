import { afterEach, beforeEach, expect, test } from 'vitest';
import { noSignal, OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import type { TestDevice } from '../../test/fixtures/omemo-devices.ts';
import { message as row, sphere } from '../../test/fixtures/storage-rows.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { Storage } from '../storage/storage.ts';
import { Omemo } from './omemo.ts';
import { loadSignal } from './signal.ts';
import type { OmemoMessage } from './types.ts';

let folder: StorageFolder;
let storage: Storage;
let devices: OmemoDevices;
let ana: TestDevice;
let omemo: Omemo;

beforeEach(async () => {
  folder = new StorageFolder();
  storage = folder.open();
  storage.spheres.put(sphere);
  devices = new OmemoDevices();
  ana = await devices.add('ana@one.test');
  omemo = await open();
});

afterEach(() => {
  storage[Symbol.dispose]();
  folder[Symbol.dispose]();
});

async function open(): Promise<Omemo> {
  return Omemo.open({
    store: storage.omemo,
    own: row.from,
    clock: devices.clock,
    random: systemRandom,
    log: silentLogger,
    signal: await loadSignal({ random: systemRandom }),
  });
}

async function write(text: string): Promise<OmemoMessage> {
  const fetchBundle = (): Promise<ReturnType<Omemo['bundle']>> => Promise.resolve(omemo.bundle());
  return (await ana.encrypt(text, [], { recipients: [omemo.address], fetchBundle })).message;
}

/** Keeps session and text together; `fail` stands for whatever may go wrong before the transaction ends. */
function read(message: OmemoMessage, fail: () => void = () => undefined): Promise<unknown> {
  return omemo.decrypt(
    { from: ana.jid, message },
    ({ text }, changes) =>
      storage.transaction(() => {
        storage.omemo.apply(changes);
        storage.messages.add({ ...row, text: text ?? '' });
        fail();
      }),
    noSignal,
  );
}

test('session and text are kept in one transaction: when it fails, neither is there and the message opens again', async () => {
  const message = await write('keep me');
  const fail = (): never => {
    throw new Error('power cut');
  };
  await expect(read(message, fail)).rejects.toThrow('power cut');
  expect(storage.messages.has(row.id)).toBe(false);
  expect(storage.omemo.session(ana.address)).toBeUndefined();
  expect(omemo.bundle().preKeys).toHaveLength(100);
  await read(message);
  expect(storage.messages.get(row.id)?.text).toBe('keep me');
  expect(omemo.bundle().preKeys).toHaveLength(99);
});

test('after a restart it is the same device with the same sessions', async () => {
  const { deviceId } = omemo;
  await read(await write('before'));
  const waiting = await write('after');
  storage[Symbol.dispose]();
  storage = folder.open();
  omemo = await open();
  expect(omemo.deviceId).toBe(deviceId);
  storage.messages.remove(row.id);
  await read(waiting);
  expect(storage.messages.get(row.id)?.text).toBe('after');
  const answer = await omemo.encrypt(
    { recipients: [ana.address], text: 'answer', fetchBundle: () => Promise.reject(new Error('not needed')) },
    (result, changes) => {
      storage.omemo.apply(changes);
      return result.message;
    },
    noSignal,
  );
  const asSeenByAna = await ana.omemo.decrypt({ from: row.from, message: answer }, ({ text }) => text, noSignal);
  expect(asSeenByAna).toBe('answer');
});
