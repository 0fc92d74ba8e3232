import { expect, test } from 'vitest';
import { chooseServer, newAddress } from './chosen-server.ts';

const nothing = { choice: '', domain: '', link: '' };
const LINK = 'xmpp:lea@example.org?register;preauth=T1';

test('a public server is chosen with what is known of it', () => {
  const chosen = { domain: 'disroot.org', webPage: 'https://user.disroot.org/', invitation: null, jid: null };
  expect(chooseServer({ ...nothing, choice: 'disroot.org' })).toEqual(chosen);
  // Who types its address hears the same.
  expect(chooseServer({ ...nothing, choice: 'other', domain: ' Disroot.org ' })).toEqual(chosen);
});

test.each(['', 'not a server', 'anna@example.org', 'https://example.org', 'example.org:5222', 'example.org/chat'])(
  '%j is no address of a server',
  (domain) => {
    expect(chooseServer({ ...nothing, choice: 'other', domain })).toBeNull();
  },
);

test('an invitation says at which server the account is made, and perhaps for which address', () => {
  const chosen = { domain: 'example.org', webPage: null, invitation: LINK, jid: 'lea@example.org' };
  expect(chooseServer({ ...nothing, choice: 'invited', link: ` ${LINK} ` })).toEqual(chosen);
  expect(chooseServer({ ...nothing, choice: 'invited', link: 'https://example.org/invite' })).toBeNull();
});

test('nothing is chosen before somebody chooses', () => {
  expect(chooseServer({ ...nothing, domain: 'example.org', link: LINK })).toBeNull();
});

test('a name makes an address, also when the whole address was typed', () => {
  expect(newAddress(' Anna ', 'example.org')).toBe('anna@example.org');
  expect(newAddress('anna@example.org', 'example.org')).toBe('anna@example.org');
  for (const name of ['', 'anna lee', 'anna@elsewhere.org', '@example.org']) {
    expect(newAddress(name, 'example.org')).toBeNull();
  }
});
