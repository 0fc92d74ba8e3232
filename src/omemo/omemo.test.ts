import { expect, test } from 'vitest';
import type { TestDevice } from '../../test/fixtures/omemo-devices.ts';
import { noSignal, OmemoDevices, withKeyData } from '../../test/fixtures/omemo-devices.ts';
import { toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { Omemo } from './omemo.ts';
import { loadSignal } from './signal.ts';
import { NO_CHANGES } from './store.ts';

async function pair(): Promise<{ devices: OmemoDevices; ana: TestDevice; ben: TestDevice }> {
  const devices = new OmemoDevices();
  return { devices, ana: await devices.add('ana@one.test'), ben: await devices.add('ben.b@two.test') };
}

/** A pair whose session has left its first state. */
async function acquainted(): Promise<{ devices: OmemoDevices; ana: TestDevice; ben: TestDevice }> {
  const people = await pair();
  await people.ben.read(people.ana, await people.ana.write('hello', people.ben));
  await people.ana.read(people.ben, await people.ben.write('hi', people.ana));
  return people;
}

const refused = (code: string): unknown => expect.objectContaining({ code });

test('two devices talk in both directions', async () => {
  const { ana, ben } = await pair();
  const first = await ana.write('hello 🎬', ben);
  expect(first.keys.map(({ deviceId, preKey }) => ({ deviceId, preKey }))).toEqual([
    { deviceId: ben.omemo.deviceId, preKey: true },
  ]);
  expect(await ben.readText(ana, first)).toBe('hello 🎬');
  const answer = await ben.write('hi', ana);
  expect(answer.keys[0]?.preKey).toBe(false);
  expect(await ana.readText(ben, answer)).toBe('hi');
  expect((await ana.write('again', ben)).keys[0]?.preKey).toBe(false);
});

test('one message reaches five devices, and both ends know its key', async () => {
  const devices = new OmemoDevices();
  const ana = await devices.add('ana@one.test');
  const others: TestDevice[] = [];
  for (const name of ['ana@one.test', 'ben@two.test', 'ben@two.test', 'eve@two.test', 'dan@two.test']) {
    others.push(await devices.add(name));
  }
  const sent = await ana.encrypt('to all', [...others, ana, ...others]);
  expect(sent.message.keys).toHaveLength(5);
  expect(sent.reached.map(({ standing }) => standing)).toEqual(Array(5).fill('new'));
  for (const device of others) {
    expect(await device.read(ana, sent.message)).toEqual({
      text: 'to all',
      messageKey: sent.messageKey,
      sender: ana.address,
      identityKey: ana.omemo.identityKey,
      newIdentity: 'new',
      preKey: true,
      counter: 0,
    });
  }
});

test('a message without text carries a key only', async () => {
  const { ana, ben } = await pair();
  const sent = await ana.encrypt(null, [ben]);
  expect(sent.message.payload).toBeNull();
  expect(await ben.read(ana, sent.message)).toMatchObject({ text: null, messageKey: sent.messageKey });
});

test('a message is read again when what its session rests on is lost meanwhile, so that what came before stays readable', async () => {
  const { ana, ben } = await acquainted();
  const before = ben.store.session(ana.address) ?? '';
  const lose = (): void => ben.store.apply({ ...NO_CHANGES, sessions: [{ address: ana.address, record: before }] });
  const [first, second] = [await ana.write('first', ben), await ana.write('second', ben)];
  await ben.read(ana, first);
  const reading = ben.readText(ana, second);
  // Far enough for the session to have been asked for, and not to the end.
  for (let step = 0; step < 6; step += 1) await Promise.resolve();
  lose();
  expect(await reading).toBe('second');
  expect(await ben.readText(ana, first)).toBe('first');
});

test('a message is made again when what its session rests on is lost meanwhile', async () => {
  const { ana, ben } = await acquainted();
  const before = ben.store.session(ana.address) ?? '';
  const first = await ana.write('first', ben);
  await ben.read(ana, first);
  const writing = ben.write('answer', ana);
  for (let step = 0; step < 12; step += 1) await Promise.resolve();
  ben.store.apply({ ...NO_CHANGES, sessions: [{ address: ana.address, record: before }] });
  expect(await ana.readText(ben, await writing)).toBe('answer');
  expect(await ben.readText(ana, first)).toBe('first');
});

test('messages may arrive in any order, also across changes of the ratchet', async () => {
  const { ana, ben } = await acquainted();
  const early = [await ana.write('1', ben), await ana.write('2', ben)];
  await ana.read(ben, await ben.write('turn', ana));
  const late = [await ana.write('3', ben), await ana.write('4', ben)];
  const shuffled = [late[1], early[1], late[0], early[0]].filter((message) => message !== undefined);
  const texts: (string | null)[] = [];
  for (const message of shuffled) texts.push(await ben.readText(ana, message));
  expect(texts).toEqual(['4', '2', '3', '1']);
});

test('the same bytes are never decrypted twice', async () => {
  const { ana, ben } = await pair();
  const first = await ana.write('first', ben);
  await ben.read(ana, first);
  await expect(ben.read(ana, first)).rejects.toEqual(refused('cannot-decrypt'));
  await ana.read(ben, await ben.write('hi', ana));
  const second = await ana.write('second', ben);
  await ben.read(ana, second);
  await expect(ben.read(ana, second)).rejects.toEqual(refused('cannot-decrypt'));
  expect(await ben.readText(ana, await ana.write('third', ben))).toBe('third');
});

test('a message for other devices is told apart and changes nothing', async () => {
  const { devices, ana, ben } = await pair();
  const eve = await devices.add('eve@two.test');
  expect(await eve.read(ana, await ana.write('for ben', ben))).toEqual({ kind: 'not-for-us' });
  expect(eve.store.session(ana.address)).toBeUndefined();
});

test('with the device number of a stranger in front, our own element is still found', async () => {
  const { devices, ana, ben } = await pair();
  const eve = await devices.add('eve@two.test');
  const forEve = await ana.write('for both', eve, ben);
  const keys = forEve.keys.map((key) => ({ ...key, deviceId: ben.omemo.deviceId }));
  expect(await ben.readText(ana, { ...forEve, keys })).toBe('for both');
});

test('an altered message is refused as forged, and the true one still opens', async () => {
  const { ana, ben } = await acquainted();
  const message = await ana.write('true', ben);
  const before = ben.store.session(ana.address);
  const forgeries = [
    withKeyData(message, (data) => data.with(-1, (data.at(-1) ?? 0) ^ 1)),
    withKeyData(message, (data) => data.fill(0, -8)),
    withKeyData(message, (data) => data.with(-49, (data.at(-49) ?? 0) ^ 1)),
    { ...message, payload: Uint8Array.from(message.payload ?? [], (byte, index) => (index === 0 ? byte ^ 1 : byte)) },
    { ...message, iv: message.iv.slice(0, 11) },
    { ...message, senderDeviceId: 0 },
  ];
  for (const forgery of forgeries) await expect(ben.read(ana, forgery)).rejects.toEqual(refused('forged'));
  expect(ben.store.session(ana.address)).toBe(before);
  expect(await ben.readText(ana, message)).toBe('true');
});

test('a key element cut short or made of noise is refused without changing the session', async () => {
  const { ana, ben } = await acquainted();
  const message = await ana.write('true', ben);
  const before = ben.store.session(ana.address);
  const cuts = [0, 1, 8, 9, 20, 60];
  for (const length of cuts) {
    const cut = withKeyData(message, (data) => data.slice(0, length));
    await expect(ben.read(ana, cut)).rejects.toBeInstanceOf(AppError);
    const first = { ...cut, keys: cut.keys.map((key) => ({ ...key, preKey: true })) };
    await expect(ben.read(ana, first)).rejects.toBeInstanceOf(AppError);
  }
  expect(ben.store.session(ana.address)).toBe(before);
  expect(await ben.readText(ana, message)).toBe('true');
});

test('when the owner cannot keep the result, the same message opens again', async () => {
  const { ana, ben } = await pair();
  const message = await ana.write('keep me', ben);
  const crash = (): never => {
    throw new AppError('disk-full', 'no room');
  };
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(ben.omemo.decrypt({ from: ana.jid, message }, crash, noSignal)).rejects.toEqual(refused('disk-full'));
  }
  expect(await ben.readText(ana, message)).toBe('keep me');
});

test('when the owner cannot keep the ciphertext, the ratchet does not move', async () => {
  const { ana, ben } = await acquainted();
  const before = ana.store.session(ben.address);
  const input = { recipients: [ben.address], text: 'lost', fetchBundle: () => Promise.reject(new Error('not needed')) };
  const crash = (): never => {
    throw new AppError('disk-full', 'no room');
  };
  await expect(ana.omemo.encrypt(input, crash, noSignal)).rejects.toEqual(refused('disk-full'));
  expect(ana.store.session(ben.address)).toBe(before);
  expect(await ben.readText(ana, await ana.write('kept', ben))).toBe('kept');
});

test('operations asked for at once run one after the other', async () => {
  const { ana, ben } = await acquainted();
  const messages = await Promise.all(Array.from({ length: 20 }, (_none, index) => ana.write(`${index}`, ben)));
  const texts = await Promise.all(messages.map((message) => ben.readText(ana, message)));
  expect(texts).toEqual(Array.from({ length: 20 }, (_none, index) => `${index}`));
});

test('an aborted operation rejects and changes nothing', async () => {
  const { ana, ben } = await acquainted();
  const message = await ana.write('later', ben);
  const abort = AbortSignal.abort();
  const keep = (): never => {
    throw new Error('must not be reached');
  };
  await expect(ben.omemo.decrypt({ from: ana.jid, message }, keep, abort)).rejects.toMatchObject({
    name: 'AbortError',
  });
  expect(await ben.readText(ana, message)).toBe('later');
});

test('two crossing first messages leave one working session', async () => {
  const { ana, ben } = await pair();
  const fromAna = await ana.write('a', ben);
  const fromBen = await ben.write('b', ana);
  expect(await ben.readText(ana, fromAna)).toBe('a');
  expect(await ana.readText(ben, fromBen)).toBe('b');
  for (const round of ['1', '2', '3']) {
    expect(await ben.readText(ana, await ana.write(round, ben))).toBe(round);
    expect(await ana.readText(ben, await ben.write(round, ana))).toBe(round);
  }
});

test('a late message of a closed session does not harm the open one', async () => {
  const { ana, ben } = await acquainted();
  const late = await ana.write('late', ben);
  await ben.read(ana, (await ana.encrypt('fresh', [ben], { fresh: true })).message);
  await ana.read(ben, await ben.write('answer', ana));
  const waiting = await ana.write('waiting', ben);
  expect(await ben.readText(ana, late)).toBe('late');
  expect(await ben.readText(ana, waiting)).toBe('waiting');
  expect(await ana.readText(ben, await ben.write('still here', ana))).toBe('still here');
});

test('a broken session is replaced by a fresh one', async () => {
  const { ana, ben } = await acquainted();
  const record = JSON.stringify({ sessions: {}, version: 'v1' });
  ben.store.apply({ ...NO_CHANGES, sessions: [{ address: ana.address, record }] });
  await expect(ben.read(ana, await ana.write('lost', ben))).rejects.toEqual(refused('cannot-decrypt'));
  const repaired = (await ana.encrypt('repaired', [ben], { fresh: true })).message;
  expect(await ben.readText(ana, repaired)).toBe('repaired');
  expect(await ana.readText(ben, await ben.write('thanks', ana))).toBe('thanks');
});

test('a long conversation does not make the session grow', async () => {
  const { ana, ben } = await acquainted();
  const talk = async (rounds: number): Promise<number> => {
    for (let round = 0; round < rounds; round += 1) {
      await ben.read(ana, await ana.write('ping', ben));
      await ana.read(ben, await ben.write('pong', ana));
    }
    return ben.store.session(ana.address)?.length ?? 0;
  };
  const early = await talk(15);
  expect(await talk(40)).toBeLessThan(early * 1.2);
});

test('the countersignature of a device holds for exactly its bytes and identity key', async () => {
  const { ana, ben } = await pair();
  const certificate = toUtf8('certificate');
  const signature = ana.omemo.identityCountersign(certificate);
  expect(Omemo.verifyIdentitySignature(ana.omemo.identityKey, certificate, signature)).toBe(true);
  expect(Omemo.verifyIdentitySignature(ana.omemo.identityKey, toUtf8('certificatf'), signature)).toBe(false);
  expect(Omemo.verifyIdentitySignature(ben.omemo.identityKey, certificate, signature)).toBe(false);
  expect(Omemo.verifyIdentitySignature(ana.omemo.identityKey.subarray(1), certificate, signature)).toBe(false);
  const { signedPreKey } = ana.omemo.bundle();
  expect(Omemo.verifyIdentitySignature(ana.omemo.identityKey, signedPreKey.publicKey, signedPreKey.signature)).toBe(
    false,
  );
});

test('a device opened again is the same device', async () => {
  const { devices, ana } = await pair();
  const again = await Omemo.open({
    store: ana.store,
    own: ana.jid,
    clock: devices.clock,
    random: () => {
      throw new Error('nothing new is to be made');
    },
    log: silentLogger,
    signal: await loadSignal({ random: systemRandom }),
  });
  expect(again.deviceId).toBe(ana.omemo.deviceId);
  expect(again.bundle()).toEqual(ana.omemo.bundle());
});
