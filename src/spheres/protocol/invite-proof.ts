import { concatBytes, fromHex, toHex } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { DeviceKey, EventId, PersonId } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';
import type { KnownEvent } from './event.ts';
import type { SigningKey } from './keys.ts';
import { isSignedBy, KEY_BYTES, signFor, signingKeyFromSeed } from './keys.ts';

/** Who answers which invitation. */
export interface InviteAnswer {
  readonly invite: EventId;
  readonly person: PersonId;
  readonly device: DeviceKey;
}

/**
 * The secret of one invitation, 32 bytes. It travels in the sealed 1:1 message only, so that whoever answers
 * shows that the message to the invited account could be read: neither members nor the room can answer instead.
 */
export function generateInviteSecret(random: RandomBytes): Uint8Array<ArrayBuffer> {
  return random(KEY_BYTES);
}

/** What the invite event says of the secret. */
export function inviteKeyOf(secret: Uint8Array): string {
  return keyOf(secret).id;
}

/** The proof in a `join` or `decline` event, 128 hex digits. */
export function proveInvite(kind: 'join' | 'decline', secret: Uint8Array, answer: InviteAnswer): string {
  return toHex(signFor(kind, keyOf(secret), answerBytes(answer)));
}

/** Proofs checked before: an event names one invitation, which has one key. */
const checked = new WeakMap<KnownEvent, boolean>();

export function isInviteProven(event: KnownEvent<'join' | 'decline'>, inviteKey: string): boolean {
  const known = checked.get(event);
  if (known !== undefined) return known;
  const isProven = checkProof(event, inviteKey);
  checked.set(event, isProven);
  return isProven;
}

function checkProof(event: KnownEvent<'join' | 'decline'>, inviteKey: string): boolean {
  const { person, device } = event.header;
  const proof = fromHex(event.body.proof);
  const answer = answerBytes({ invite: event.body.invite, person, device });
  return proof !== undefined && isSignedBy(event.type, inviteKey, answer, proof);
}

function keyOf(secret: Uint8Array): SigningKey {
  return signingKeyFromSeed(secret);
}

function answerBytes(answer: InviteAnswer): Uint8Array {
  const fields = [answer.invite, answer.person, answer.device].map((hex) => {
    const bytes = fromHex(hex);
    if (bytes === undefined || bytes.length !== 32) throw new AppError('bad-input', 'not an answer to an invitation');
    return bytes;
  });
  return concatBytes(...fields);
}
