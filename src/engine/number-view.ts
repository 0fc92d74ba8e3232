import { wordlist as english } from '@scure/bip39/wordlists/english.js';
import { wordlist as french } from '@scure/bip39/wordlists/french.js';
import type { PersonId } from '../base/id.ts';
import type { NumberView } from '../contract/people.ts';
import { safetyNumber } from '../spheres/protocol/safety-number.ts';

/** What is compared of a person, as it is read and as it is read out. */
export async function viewNumber(person: PersonId): Promise<NumberView> {
  const { digits, words } = await safetyNumber(person);
  // BIP 39 keeps letters and their accents apart.
  const of = (list: readonly string[]): string =>
    words
      .map((place) => list[place])
      .join(' ')
      .normalize('NFC');
  return { digits, words: { en: of(english), fr: of(french) } };
}
