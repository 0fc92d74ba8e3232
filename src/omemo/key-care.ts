import type { RandomBytes } from '../base/random.ts';
import { generateDeviceId, generateKeyPair, generatePreKeys, generateSignedPreKey, nextId } from './keys.ts';
import type { OmemoChanges, OmemoStore, OwnDevice, PreKey, SignedPreKey } from './store.ts';
import { NO_CHANGES } from './store.ts';

const DAY_MS = 24 * 3600 * 1000;
/** XEP-0384 0.3 §4.4 asks for 100. */
const PRE_KEYS_ON_OFFER = 100;
const SIGNED_PRE_KEY_LIFE_MS = 7 * DAY_MS;
// First messages may lie in an archive for weeks.
const OLD_SIGNED_PRE_KEY_LIFE_MS = 30 * DAY_MS;
// Two senders can pick the same prekey from one bundle: the second one's message must still open.
const USED_PRE_KEY_LIFE_MS = DAY_MS;
const MAX_USED_PRE_KEYS = 300;

/** A new device with all of its keys. */
export function createDevice(nowMs: number, random: RandomBytes): OmemoChanges {
  const identity = generateKeyPair(random);
  const own: OwnDevice = { deviceId: generateDeviceId(random), ...identity, nextKeyId: 1 };
  return careForKeys({ own, preKeys: [], signedPreKeys: [], nowMs, random });
}

/** What is due to be made anew or forgotten in a store that has a device. */
export function careForStore(store: OmemoStore, own: OwnDevice, nowMs: number, random: RandomBytes): OmemoChanges {
  return careForKeys({ own, preKeys: store.preKeys(), signedPreKeys: store.signedPreKeys(), nowMs, random });
}

/** True when others must be told of the changes. */
export function changesBundle(changes: OmemoChanges): boolean {
  return changes.preKeys.length > 0 || changes.signedPreKeys.length > 0;
}

interface Care {
  readonly own: OwnDevice;
  readonly preKeys: readonly PreKey[];
  readonly signedPreKeys: readonly SignedPreKey[];
  readonly nowMs: number;
  readonly random: RandomBytes;
}

function careForKeys({ own, preKeys, signedPreKeys, nowMs, random }: Care): OmemoChanges {
  const fresh = preKeys.filter((preKey) => preKey.usedAtMs === null);
  const made = generatePreKeys(own.nextKeyId, Math.max(0, PRE_KEYS_ON_OFFER - fresh.length), random);
  const removedPreKeys = outlivedPreKeys(preKeys, nowMs);

  let nextKeyId = made.reduce((id) => nextId(id), own.nextKeyId);
  const newestFirst = signedPreKeys.toSorted((a, b) => b.createdAtMs - a.createdAtMs || b.id - a.id);
  const newest = newestFirst[0];
  const signed: SignedPreKey[] = [];
  if (newest === undefined || nowMs - newest.createdAtMs >= SIGNED_PRE_KEY_LIFE_MS) {
    signed.push(generateSignedPreKey(nextKeyId, own, nowMs, random));
    nextKeyId = nextId(nextKeyId);
  }
  // A key is old from the moment the next one was made.
  const removedSigned = newestFirst.filter((_key, index) => {
    const successor = newestFirst[index - 1];
    return successor !== undefined && nowMs - successor.createdAtMs >= OLD_SIGNED_PRE_KEY_LIFE_MS;
  });
  const isNew = preKeys.length === 0 && signedPreKeys.length === 0;
  return {
    ...NO_CHANGES,
    own: isNew || nextKeyId !== own.nextKeyId ? { ...own, nextKeyId } : null,
    preKeys: made,
    removedPreKeys,
    signedPreKeys: signed,
    removedSignedPreKeys: removedSigned.map((key) => key.id),
  };
}

function outlivedPreKeys(preKeys: readonly PreKey[], nowMs: number): readonly number[] {
  const used = preKeys
    .flatMap(({ id, usedAtMs }) => (usedAtMs === null ? [] : [{ id, usedAtMs }]))
    .toSorted((a, b) => b.usedAtMs - a.usedAtMs);
  return used
    .filter(({ usedAtMs }, index) => index >= MAX_USED_PRE_KEYS || nowMs - usedAtMs >= USED_PRE_KEY_LIFE_MS)
    .map(({ id }) => id);
}
