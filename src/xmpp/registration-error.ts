// XEP-0077: In-Band Registration, version 2.4, §9
import { AppError, type ErrorCode } from '../base/errors.ts';
import { errorCondition } from './stanza-error.ts';

const REASONS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  conflict: ['name-taken', 'the name is taken'],
  'jid-malformed': ['name-invalid', 'the server does not take this name'],
  'not-acceptable': ['name-invalid', 'the server does not take this name or password'],
  'policy-violation': ['registration-limited', 'the server makes no more accounts just now'],
  'resource-constraint': ['registration-limited', 'the server makes no more accounts just now'],
};
const REFUSED = ['registration-refused', 'the server does not create the account'] as const;

/** Why the server made no account, with its own words as `text`; what is no answer of the server stays as it is. */
export function registrationError(error: unknown): unknown {
  const condition = errorCondition(error);
  if (condition === undefined) return error;
  const text = error instanceof AppError ? error.details['text'] : undefined;
  const [code, message] = isForGuestsOnly(condition, text) ? REFUSED : (REASONS[condition] ?? REFUSED);
  return new AppError(code, message, { condition, text }, error);
}

/** Prosody has one condition for a name it does not like and for people whom nobody invited; only its words differ. */
function isForGuestsOnly(condition: string, text: unknown): boolean {
  return condition === 'not-acceptable' && typeof text === 'string' && /invit/i.test(text);
}
