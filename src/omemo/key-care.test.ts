import { expect, test } from 'vitest';
import { noSignal, OmemoDevices } from '../../test/fixtures/omemo-devices.ts';

const DAY_MS = 24 * 3600 * 1000;

test('a new device offers 100 prekeys numbered from 1 and a signed one', async () => {
  const ana = await new OmemoDevices().add('ana@one.test');
  const bundle = ana.omemo.bundle();
  expect(bundle.preKeys.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_none, index) => index + 1));
  expect(bundle.identityKey).toEqual(ana.omemo.identityKey);
  expect([bundle.identityKey.length, bundle.identityKey[0], bundle.signedPreKey.signature.length]).toEqual([33, 5, 64]);
  expect(ana.omemo.deviceId).toBeGreaterThan(0);
  expect(ana.omemo.deviceId).toBeLessThan(2 ** 31);
});

test('a used prekey leaves the bundle at once, is announced, and is replaced on care', async () => {
  const devices = new OmemoDevices();
  const [ana, ben] = [await devices.add('ana@one.test'), await devices.add('ben@two.test')];
  let announced = 0;
  ben.omemo.bundleChanged.on(() => {
    announced += 1;
  });
  await ben.read(ana, await ana.write('hello', ben));
  expect(announced).toBe(1);
  expect(ben.omemo.bundle().preKeys).toHaveLength(99);
  expect(await ben.omemo.careForKeys(noSignal)).toBe(true);
  expect(ben.omemo.bundle().preKeys).toHaveLength(100);
  expect(ben.omemo.bundle().preKeys.at(-1)?.id).toBe(102);
  expect(await ben.omemo.careForKeys(noSignal)).toBe(false);
});

test('two senders who picked the same prekey are both read', async () => {
  const devices = new OmemoDevices();
  const [ana, ben, eve] = [
    await devices.add('ana@one.test'),
    await devices.add('ben@two.test'),
    await devices.add('eve@three.test'),
  ];
  const bundle = ben.omemo.bundle();
  devices.served.set(ben, { ...bundle, preKeys: bundle.preKeys.slice(0, 1) });
  const fromAna = await ana.write('from ana', ben);
  const fromEve = await eve.write('from eve', ben);
  expect(await ben.readText(ana, fromAna)).toBe('from ana');
  await ben.omemo.careForKeys(noSignal);
  expect(await ben.readText(eve, fromEve)).toBe('from eve');
});

test('a prekey used a day ago is gone: its message is refused as unreadable, not as forged', async () => {
  const devices = new OmemoDevices();
  const [ana, ben, eve] = [
    await devices.add('ana@one.test'),
    await devices.add('ben@two.test'),
    await devices.add('eve@three.test'),
  ];
  const bundle = ben.omemo.bundle();
  devices.served.set(ben, { ...bundle, preKeys: bundle.preKeys.slice(0, 1) });
  await ben.read(ana, await ana.write('from ana', ben));
  const late = await eve.write('from eve', ben);
  devices.clock.nowMs += DAY_MS;
  await ben.omemo.careForKeys(noSignal);
  await expect(ben.read(eve, late)).rejects.toMatchObject({ code: 'cannot-decrypt' });
});

test('the signed prekey is renewed every week and the old one opens messages for 30 days more', async () => {
  const devices = new OmemoDevices();
  const [ana, ben, eve] = [
    await devices.add('ana@one.test'),
    await devices.add('ben@two.test'),
    await devices.add('eve@three.test'),
  ];
  const old = ben.omemo.bundle();
  devices.served.set(ben, old);
  const fromAna = await ana.write('in time', ben);
  const fromEve = await eve.write('too late', ben);
  devices.clock.nowMs += 7 * DAY_MS - 1;
  expect(await ben.omemo.careForKeys(noSignal)).toBe(false);
  devices.clock.nowMs += 1;
  expect(await ben.omemo.careForKeys(noSignal)).toBe(true);
  expect(ben.omemo.bundle().signedPreKey).not.toEqual(old.signedPreKey);
  devices.clock.nowMs += 30 * DAY_MS - 1;
  await ben.omemo.careForKeys(noSignal);
  expect(await ben.readText(ana, fromAna)).toBe('in time');
  devices.clock.nowMs += 1;
  await ben.omemo.careForKeys(noSignal);
  await expect(ben.read(eve, fromEve)).rejects.toMatchObject({ code: 'cannot-decrypt' });
});

test('a message for 50 devices takes milliseconds per device', async () => {
  const devices = new OmemoDevices();
  const ana = await devices.add('ana@one.test');
  const crowd = [];
  for (let index = 0; index < 50; index += 1) crowd.push(await devices.add(`friend${index}@two.test`));
  const startedAt = performance.now();
  await ana.encrypt('first', crowd);
  const firstMs = (performance.now() - startedAt) / crowd.length;
  const againAt = performance.now();
  await ana.encrypt('second', crowd);
  const nextMs = (performance.now() - againAt) / crowd.length;
  process.stdout.write(`omemo: ${firstMs.toFixed(1)} ms per new device, ${nextMs.toFixed(1)} ms per known device\n`);
  expect(nextMs).toBeLessThan(50);
});
