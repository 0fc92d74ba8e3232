import { equalBytes, fromHex, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import { systemRandom } from '../base/random.ts';
import { generateKeyPair, generatePreKeys } from './keys.ts';
import { MemoryOmemoStore } from './memory-store.ts';
import { Overlay } from './overlay.ts';
import type { SignalLibrary } from './signal-types.ts';
import { fromBinaryText, toBuffer } from './signal-types.ts';
import type { OwnDevice, PreKey, SignedPreKey } from './store.ts';
import { NO_CHANGES } from './store.ts';
import type { DeviceAddress } from './types.ts';

const SECRET = toUtf8('0123456789abcdef0123456789abcdef');
const MAC_LENGTH = 8;
/** By Ben's identity key, of his prekey. It is always the same: to sign takes longer than all the rest of the test. */
const SIGNATURE =
  '2f94f8a9db2b65f8315d44688bc8d436773e4653dc0d894e3c8d82f749d3860b' +
  'f941f2ff7dfd2ec3a02d4dc8f7aa0326f022723d4f3114260b15077699def90a';

interface Party {
  readonly address: DeviceAddress;
  readonly own: OwnDevice;
  readonly preKey: PreKey;
  readonly signedPreKey: SignedPreKey;
  readonly overlay: Overlay;
}

interface Ciphertext {
  readonly preKey: boolean;
  readonly data: Uint8Array;
}

/**
 * Lets two parties of our own talk through the library and checks that it refuses forgeries. There are published
 * versions of it that do not: with one of those, `encryption-unsafe`.
 */
export async function proveSignalSafe(library: SignalLibrary): Promise<void> {
  const ana = makeParty('ana@self.test', 1);
  const ben = makeParty('ben@self.test', 2);
  await refuses('bundle signature', () =>
    startSession(library, ana, ben, withFlippedByte(ben.signedPreKey.signature, 3)),
  );
  await startSession(library, ana, ben, ben.signedPreKey.signature);

  const first = await encrypt(library, ana, ben);
  await refuses('first message with an altered MAC', () => decrypt(library, ben, ana, withFlippedMac(first)));
  await accepts('first message', library, ben, ana, first);
  await accepts('answer', library, ana, ben, await encrypt(library, ben, ana));

  const second = await encrypt(library, ana, ben);
  const { data } = second;
  const zeroed = Uint8Array.from(data).fill(0, data.length - MAC_LENGTH);
  // The last cipher block before the MAC is padding: two blocks further in is the secret itself.
  const altered = withFlippedByte(data, data.length - MAC_LENGTH - 40);
  await refuses('altered MAC', () => decrypt(library, ben, ana, withFlippedMac(second)));
  await refuses('zeroed MAC', () => decrypt(library, ben, ana, { ...second, data: zeroed }));
  await refuses('altered ciphertext', () => decrypt(library, ben, ana, { ...second, data: altered }));
  await accepts('second message', library, ben, ana, second);
  await refuses('replay', () => decrypt(library, ben, ana, second));
  library.drain();
}

function makeParty(name: string, deviceId: number): Party {
  const own: OwnDevice = { deviceId, ...generateKeyPair(alwaysTheSame(deviceId)), nextKeyId: 2 };
  const signature = fromHex(SIGNATURE) ?? new Uint8Array();
  const signedPreKey: SignedPreKey = { id: 1, ...generateKeyPair(alwaysTheSame(3)), signature, createdAtMs: 0 };
  const [preKey] = generatePreKeys(1, 1, systemRandom);
  if (preKey === undefined) throw new AppError('internal', 'no prekey was made');
  const store = new MemoryOmemoStore();
  store.apply({ ...NO_CHANGES, own, preKeys: [preKey], signedPreKeys: [signedPreKey] });
  const address = { jid: parseBareJid(name), deviceId };
  return { address, own, preKey, signedPreKey, overlay: new Overlay({ store, own, nowMs: 0 }) };
}

function alwaysTheSame(byte: number): RandomBytes {
  return (length) => new Uint8Array(length).fill(byte);
}

async function startSession(library: SignalLibrary, from: Party, to: Party, signature: Uint8Array): Promise<void> {
  const address = new library.SignalProtocolAddress(to.address.jid, to.address.deviceId);
  await new library.SessionBuilder(from.overlay, address).processPreKey({
    registrationId: to.address.deviceId,
    identityKey: toBuffer(to.own.publicKey),
    signedPreKey: {
      keyId: to.signedPreKey.id,
      publicKey: toBuffer(to.signedPreKey.publicKey),
      signature: toBuffer(signature),
    },
    preKey: { keyId: to.preKey.id, publicKey: toBuffer(to.preKey.publicKey) },
  });
}

async function encrypt(library: SignalLibrary, from: Party, to: Party): Promise<Ciphertext> {
  const address = new library.SignalProtocolAddress(to.address.jid, to.address.deviceId);
  const { type, body } = await new library.SessionCipher(from.overlay, address).encrypt(toBuffer(SECRET));
  return { preKey: type === 3, data: fromBinaryText(body ?? '') };
}

async function decrypt(library: SignalLibrary, at: Party, from: Party, message: Ciphertext): Promise<ArrayBuffer> {
  const address = new library.SignalProtocolAddress(from.address.jid, from.address.deviceId);
  const cipher = new library.SessionCipher(at.overlay, address);
  const data = toBuffer(message.data);
  return message.preKey
    ? cipher.decryptPreKeyWhisperMessage(data, 'binary')
    : cipher.decryptWhisperMessage(data, 'binary');
}

async function accepts(
  check: string,
  library: SignalLibrary,
  at: Party,
  from: Party,
  message: Ciphertext,
): Promise<void> {
  let opened: ArrayBuffer;
  try {
    opened = await decrypt(library, at, from, message);
  } catch (error) {
    throw unsafe(`${check} was refused`, error);
  }
  if (!equalBytes(new Uint8Array(opened), SECRET)) throw unsafe(`${check} came out changed`);
}

async function refuses(check: string, attempt: () => Promise<unknown>): Promise<void> {
  try {
    await attempt();
  } catch {
    // Being refused is what the check is for.
    return;
  }
  throw unsafe(`${check} was accepted`);
}

function unsafe(check: string, cause?: unknown): AppError {
  return new AppError('encryption-unsafe', 'the encryption library failed its self-test', { check }, cause);
}

function withFlippedMac(message: Ciphertext): Ciphertext {
  return { ...message, data: withFlippedByte(message.data, message.data.length - 1) };
}

function withFlippedByte(bytes: Uint8Array, index: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[index] = (changed[index] ?? 0) ^ 1;
  return changed;
}
