import { expect, test } from 'vitest';
import { AppError } from '../base/errors.ts';
import { xml } from './element.ts';
import { registrationError } from './registration-error.ts';
import { stanzaError } from './stanza-error.ts';

const NS = 'urn:ietf:params:xml:ns:xmpp-stanzas';

function answered(condition: string, text: string): unknown {
  const error = xml('error', { type: 'modify' }, xml(condition, { xmlns: NS }), xml('text', { xmlns: NS }, text));
  return registrationError(stanzaError(xml('iq', { type: 'error' }, error)));
}

test.each([
  ['conflict', 'name-taken'],
  ['not-acceptable', 'name-invalid'],
  ['jid-malformed', 'name-invalid'],
  ['resource-constraint', 'registration-limited'],
  ['policy-violation', 'registration-limited'],
  ['not-allowed', 'registration-refused'],
  ['service-unavailable', 'registration-refused'],
  ['forbidden', 'registration-refused'],
  ['internal-server-error', 'registration-refused'],
])('the answer %s is told as %s, with the server’s own words', (condition, code) => {
  expect(answered(condition, 'So sorry.')).toMatchObject({ code, details: { condition, text: 'So sorry.' } });
});

test('a server that is for invited people only is not taken for one that dislikes the name', () => {
  const words = 'Registration on this server is through invitation only';
  expect(answered('not-acceptable', words)).toMatchObject({ code: 'registration-refused', details: { text: words } });
});

test('what is no answer of the server stays what it is', () => {
  const cut = new AppError('server-unreachable', 'cut');
  expect(registrationError(cut)).toBe(cut);
});
