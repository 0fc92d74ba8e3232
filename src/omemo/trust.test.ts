import { expect, test } from 'vitest';
import { LOW_ORDER_KEY, noSignal, OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import type { TestDevice } from '../../test/fixtures/omemo-devices.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { signXeddsa } from './curve.ts';
import { generateKeyPair, generateSignedPreKey } from './keys.ts';
import { MemoryOmemoStore } from './memory-store.ts';
import { Omemo } from './omemo.ts';
import { loadSignal } from './signal.ts';
import { NO_CHANGES } from './store.ts';
import type { OmemoBundle } from './types.ts';

const refused = (code: string): unknown => expect.objectContaining({ code });

async function trio(): Promise<{ devices: OmemoDevices; ana: TestDevice; ben: TestDevice; eve: TestDevice }> {
  const devices = new OmemoDevices();
  const [ana, ben, eve] = [
    await devices.add('ana@one.test'),
    await devices.add('ben@two.test'),
    await devices.add('eve@two.test'),
  ];
  return { devices, ana, ben, eve };
}

/** The same account and device number with another identity, as a lying server would make it up. */
async function impostorOf(device: TestDevice, devices: OmemoDevices): Promise<Omemo> {
  const identity = generateKeyPair(systemRandom);
  const store = new MemoryOmemoStore();
  const own = { deviceId: device.omemo.deviceId, ...identity, nextKeyId: 2 };
  store.apply({ ...NO_CHANGES, own, signedPreKeys: [generateSignedPreKey(1, identity, 0, systemRandom)] });
  const signal = await loadSignal({ random: systemRandom });
  return Omemo.open({ store, own: device.jid, clock: devices.clock, random: systemRandom, log: silentLogger, signal });
}

test('a device that shows another identity key than before gets nothing', async () => {
  const { devices, ana, ben, eve } = await trio();
  await ana.encrypt('hello', [ben, eve]);
  devices.served.set(ben, eve.omemo.bundle());
  const sent = await ana.encrypt('secret', [ben, eve], { fresh: true });
  expect(sent.message.keys.map(({ deviceId }) => deviceId)).toEqual([eve.omemo.deviceId]);
  expect(sent.unreachable).toEqual([{ address: ben.address, error: refused('forged') }]);
});

test('a changed identity key is taken over when the owner says so, and remembered from then on', async () => {
  const { devices, ana, ben, eve } = await trio();
  await ana.encrypt('hello', [ben]);
  const before = ana.store.identityKey(ben.address);
  devices.served.set(ben, eve.omemo.bundle());
  const sent = await ana.encrypt('secret', [ben], { fresh: true, trusts: () => true });
  expect(sent.reached).toEqual([{ address: ben.address, identityKey: eve.omemo.identityKey, standing: 'changed' }]);
  expect(before).toEqual(ben.omemo.identityKey);
  expect(ana.store.identityKey(ben.address)).toEqual(eve.omemo.identityKey);
});

test('a device the owner does not trust is left out although it has a session', async () => {
  const { ana, ben, eve } = await trio();
  await ana.encrypt('hello', [ben, eve]);
  const sent = await ana.encrypt('secret', [ben, eve], { trusts: (address) => address.jid !== eve.jid });
  expect(sent.reached.map(({ address }) => address.jid)).toEqual([ben.jid]);
  expect(sent.unreachable).toEqual([{ address: eve.address, error: refused('forged') }]);
});

test('a first message under another identity key of a known device is refused and changes nothing', async () => {
  const { devices, ana, ben } = await trio();
  await ben.read(ana, await ana.write('hello', ben));
  const known = ben.store.identityKey(ana.address);
  const session = ben.store.session(ana.address);
  const impostor = await impostorOf(ana, devices);
  const input = {
    recipients: [ben.address],
    text: 'I am ana',
    fetchBundle: () => Promise.resolve(ben.omemo.bundle()),
  };
  const message = await impostor.encrypt(input, (result) => result.message, noSignal);
  await expect(ben.read(ana, message)).rejects.toEqual(refused('forged'));
  expect(ben.store.identityKey(ana.address)).toEqual(known);
  expect(ben.store.session(ana.address)).toBe(session);
  expect(ben.omemo.bundle().preKeys).toHaveLength(99);
  expect(await ben.read(ana, message, (_address, _key, standing) => standing === 'changed')).toMatchObject({
    text: 'I am ana',
    newIdentity: 'changed',
  });
});

test('a device that cannot be reached is reported; with none left the message is refused', async () => {
  const { ana, ben, eve } = await trio();
  const forbidden = new AppError('not-allowed', 'no access to the bundle');
  const fetchBundle = (address: { jid: string }): Promise<OmemoBundle> =>
    address.jid === eve.jid ? Promise.reject(forbidden) : Promise.resolve(ben.omemo.bundle());
  const sent = await ana.encrypt('hello', [ben, eve], { fetchBundle });
  expect(sent.unreachable).toEqual([{ address: eve.address, error: forbidden }]);
  expect(await ben.readText(ana, sent.message)).toBe('hello');
  await expect(ana.encrypt('hello', [eve], { fetchBundle })).rejects.toMatchObject({
    code: 'cannot-encrypt',
    cause: forbidden,
  });
});

test('a message to nobody but this device has no keys', async () => {
  const { ana } = await trio();
  expect((await ana.encrypt('note', [ana])).message.keys).toEqual([]);
});

test('an account with more than 50 devices is refused', async () => {
  const { ana } = await trio();
  const crowd = Array.from({ length: 51 }, (_none, index) => ({
    jid: parseBareJid('ben@two.test'),
    deviceId: index + 1,
  }));
  await expect(ana.encrypt('hello', [], { recipients: crowd })).rejects.toEqual(refused('too-large'));
});

const badBundles: readonly [what: string, code: string, change: (bundle: OmemoBundle) => OmemoBundle][] = [
  ['no prekeys', 'cannot-encrypt', (bundle) => ({ ...bundle, preKeys: [] })],
  [
    'only a prekey numbered 0',
    'cannot-encrypt',
    (bundle) => ({ ...bundle, preKeys: bundle.preKeys.slice(0, 1).map((key) => ({ ...key, id: 0 })) }),
  ],
  [
    'only a prekey numbered 2^31',
    'cannot-encrypt',
    (bundle) => ({ ...bundle, preKeys: bundle.preKeys.slice(0, 1).map((key) => ({ ...key, id: 2 ** 31 })) }),
  ],
  [
    'a signed prekey numbered 0',
    'forged',
    (bundle) => ({ ...bundle, signedPreKey: { ...bundle.signedPreKey, id: 0 } }),
  ],
  [
    'a signature by someone else',
    'forged',
    (bundle) => {
      const other = generateSignedPreKey(1, generateKeyPair(systemRandom), 0, systemRandom);
      return { ...bundle, signedPreKey: { ...bundle.signedPreKey, signature: other.signature } };
    },
  ],
  [
    'an altered signature',
    'forged',
    (bundle) => {
      const signature = bundle.signedPreKey.signature.with(3, (bundle.signedPreKey.signature[3] ?? 0) ^ 1);
      return { ...bundle, signedPreKey: { ...bundle.signedPreKey, signature } };
    },
  ],
  [
    'an identity key without type byte',
    'forged',
    (bundle) => ({ ...bundle, identityKey: bundle.identityKey.slice(1) }),
  ],
  ['a low-order identity key', 'forged', (bundle) => ({ ...bundle, identityKey: LOW_ORDER_KEY })],
  [
    'low-order prekeys',
    'forged',
    (bundle) => ({ ...bundle, preKeys: bundle.preKeys.map((key) => ({ ...key, publicKey: LOW_ORDER_KEY })) }),
  ],
  [
    'more than 64 KiB',
    'too-large',
    (bundle) => ({ ...bundle, preKeys: Array.from({ length: 20 }, () => bundle.preKeys).flat() }),
  ],
];

test.each(badBundles)('a bundle with %s starts no session', async (_what, code, change) => {
  const { devices, ana, ben } = await trio();
  devices.served.set(ben, change(ben.omemo.bundle()));
  await expect(ana.encrypt('hello', [ben])).rejects.toMatchObject({ code: 'cannot-encrypt', cause: refused(code) });
  expect(ana.store.session(ben.address)).toBeUndefined();
});

test('an identity signs its low-order signed prekey in vain', async () => {
  const { devices, ana, ben } = await trio();
  const own = ben.store.own();
  if (own === undefined) throw new Error('the store is empty');
  const signature = signXeddsa(own.privateKey, LOW_ORDER_KEY, systemRandom);
  devices.served.set(ben, { ...ben.omemo.bundle(), signedPreKey: { id: 1, publicKey: LOW_ORDER_KEY, signature } });
  await expect(ana.encrypt('hello', [ben])).rejects.toMatchObject({ cause: refused('forged') });
});
