import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { fromHex } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { PersonId } from '../../base/id.ts';
import { KEY_BYTES } from './keys.ts';

const derive = promisify<string | Uint8Array, Uint8Array, number, { N: number; r: number; p: number }, Buffer>(scrypt);

const DOMAIN = Buffer.from('spherecast-number-v1\0');
/** Costs whoever looks for another key with the same number as much at every try. */
const COST = { N: 16_384, r: 8, p: 1 };
const GROUPS = 5;
const GROUP = 10_000n;
const WORDS = 6;
const LIST = 2048n;

export interface SafetyNumber {
  /** In five groups of four. */
  readonly digits: string;
  /** The same for the ear: places in a list of 2048 words. */
  readonly words: readonly number[];
}

/**
 * What two people compare to know each other's person key: six words or 20 digits, each enough alone. Each person has a
 * number of their own, so whoever wants to stand between two people has to find a second key for a given number (2^66 tries); with one
 * number for both keys two guesses that meet would be enough.
 */
export async function safetyNumber(person: PersonId): Promise<SafetyNumber> {
  const key = fromHex(person);
  if (key?.length !== KEY_BYTES) throw new AppError('bad-input', 'not a person key');
  const digest = await derive(key, DOMAIN, 16, COST);
  const number = BigInt(`0x${digest.toString('hex')}`);
  const groups = lowDigits(number, GROUP, GROUPS).map((group) => group.toString().padStart(4, '0'));
  return { digits: groups.join(' '), words: lowDigits(number, LIST, WORDS) };
}

/** The lowest first. */
function lowDigits(number: bigint, base: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, place) => Number((number / base ** BigInt(place)) % base));
}
