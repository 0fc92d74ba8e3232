// RFC 6120: XMPP Core, §8.3
import { AppError, type ErrorCode } from '../base/errors.ts';
import { attr, child, type Element, NS_STANZAS, xml } from './element.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  'bad-request': 'bad-input',
  conflict: 'conflict',
  'feature-not-implemented': 'bad-input',
  forbidden: 'not-allowed',
  gone: 'not-found',
  'item-not-found': 'not-found',
  'jid-malformed': 'bad-input',
  'not-acceptable': 'bad-input',
  'not-allowed': 'not-allowed',
  'not-authorized': 'not-allowed',
  'policy-violation': 'not-allowed',
  'recipient-unavailable': 'not-found',
  'registration-required': 'not-a-member',
  'remote-server-not-found': 'server-unreachable',
  'remote-server-timeout': 'server-unreachable',
  'resource-constraint': 'not-allowed',
  'service-unavailable': 'not-found',
  'subscription-required': 'not-allowed',
};

/** The failure that a stanza of type `error` tells, with the server's condition in the details. */
export function stanzaError(stanza: Element): AppError {
  const error = child(stanza, 'error');
  const condition = error?.getChildElements().find((entry) => entry.getNS() === NS_STANZAS && entry.name !== 'text');
  const name = condition?.name ?? 'undefined-condition';
  const text = child(error, 'text', NS_STANZAS)?.getText().slice(0, 200);
  return new AppError(CODES[name] ?? 'internal', 'the other side answered with an error', {
    condition: name,
    type: attr(error, 'type'),
    text,
    ...(name === 'gone' ? { gone: condition?.getText().slice(0, 4000) } : {}),
  });
}

/** The server's condition inside a failure made by `stanzaError`; undefined for any other failure. */
export function errorCondition(error: unknown): string | undefined {
  const condition = error instanceof AppError ? error.details['condition'] : undefined;
  return typeof condition === 'string' ? condition : undefined;
}

/** §8.3.3.5: the new address that the other side gives with its failure. */
export function goneTo(error: unknown): string | undefined {
  const gone = error instanceof AppError ? error.details['gone'] : undefined;
  return typeof gone === 'string' ? gone : undefined;
}

/** §8.3.2: whether the answer says that the same may go through later. */
export function mayPass(error: unknown): boolean {
  return error instanceof AppError && error.details['type'] === 'wait';
}

/** The error element that answers a request which failed with `code`. */
export function errorElement(code: ErrorCode): Element {
  const [type, condition] =
    code === 'not-found'
      ? ['cancel', 'item-not-found']
      : code === 'not-allowed'
        ? ['auth', 'forbidden']
        : code === 'bad-input'
          ? ['modify', 'bad-request']
          : ['cancel', 'internal-server-error'];
  return xml('error', { type }, xml(condition ?? 'undefined-condition', { xmlns: NS_STANZAS }));
}
