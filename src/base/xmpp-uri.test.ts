import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { parseBareJid, parsePersonId } from './id.ts';
import { devicesUriOf, readServerInvitation, readXmppUri, xmppUriOf } from './xmpp-uri.ts';

describe('a link that names a person', () => {
  test.each([
    ['xmpp:ben@b.test', { jid: 'ben@b.test', action: null, name: null, preauth: null }],
    ['  XMPP:Ben@B.test?roster;name=Ben%20M ', { jid: 'ben@b.test', action: 'roster', name: 'Ben M', preauth: null }],
    ['xmpp:ben@b.test/phone?message;body=hi', { jid: 'ben@b.test', action: 'message', name: null, preauth: null }],
    ['xmpp://guest@a.test/ben@b.test?roster', { jid: 'ben@b.test', action: 'roster', name: null, preauth: null }],
    ['xmpp:ben@b.test?roster;preauth=1tMFqYDdKhfe2pwp;ibr=y', { preauth: '1tMFqYDdKhfe2pwp' }],
    ['xmpp:n%c3%a4h@b.test#top', { jid: 'näh@b.test' }],
  ])('%s is read', (text, expected) => {
    expect(readXmppUri(text)).toMatchObject(expected);
  });

  test.each([
    '',
    'ben@b.test',
    'https://b.test/ben@b.test',
    'xmpp:b.test',
    'xmpp:',
    'xmpp:%zz@b.test',
    'javascript:xmpp:ben@b.test',
    `xmpp:ben@b.test?${'x'.repeat(3000)}`,
  ])('%s is none', (text) => {
    expect(readXmppUri(text)).toBeUndefined();
  });

  test('what is written is read again', () => {
    const part = fc.stringMatching(/^[a-zäöé0-9._%#?;=+-]{1,20}$/u);
    const domain = fc.stringMatching(/^[a-z0-9-]{1,10}\.test$/);
    const key = fc.option(fc.stringMatching(/^[0-9a-f]{64}$/));
    const called = fc.option(fc.string({ maxLength: 50 }));
    const property = fc.property(part, domain, called, key, (local, host, nick, hex) => {
      const jid = parseBareJid(`${local}@${host}`);
      const wanted = nick?.toWellFormed().trim() ?? null;
      const name = wanted === '' ? null : wanted;
      const person = hex === null ? null : parsePersonId(hex);
      const read = readXmppUri(xmppUriOf(jid, name, person));
      expect(read).toEqual({ jid, action: 'roster', name, preauth: null, person, devices: [] });
    });
    fc.assert(property, { numRuns: fuzzRuns(2_000) });
  });

  test('the devices that Conversations and Dino write into a code are read, and ours are written alike', () => {
    const [first, second] = ['0a'.repeat(32), 'b1'.repeat(32)];
    const link = `xmpp:ben@b.test?omemo-sid-1234=${first};omemo-sid-2147483647=${second.toUpperCase()}`;
    const devices = [
      { deviceId: 1234, fingerprint: first },
      { deviceId: 2 ** 31 - 1, fingerprint: second },
    ];
    expect(readXmppUri(link)).toMatchObject({ jid: 'ben@b.test', action: null, person: null, devices });
    expect(readXmppUri(`xmpp:ben@b.test?roster;omemo-sid-1234=${first}`)).toMatchObject({
      action: 'roster',
      devices: devices.slice(0, 1),
    });
    expect(devicesUriOf(parseBareJid('ben@b.test'), devices)).toBe(link.toLowerCase());
  });

  test.each(['omemo-sid-0=KEY', 'omemo-sid-2147483648=KEY', 'omemo-sid-x=KEY', 'omemo-sid-7=KEY0', 'omemo-sid-7=xyz'])(
    '%s is no device',
    (part) => {
      const link = `xmpp:ben@b.test?${part.replace('KEY', '0a'.repeat(32))}`;
      expect(readXmppUri(link)).toMatchObject({ jid: 'ben@b.test', devices: [] });
    },
  );

  test('a key that is none is passed over', () => {
    const link = `xmpp:ben@b.test?roster;spherecast-person=${'G'.repeat(64)}`;
    expect(readXmppUri(link)).toMatchObject({ jid: 'ben@b.test', person: null });
  });

  test('no text makes the reader fail or hang, and what it gives is an address', () => {
    const noise = fc.string({
      unit: fc.constantFrom('xmpp:', '@', '/', '?', ';', '=', '%', 'a', '#', 'é', ' ', '%41'),
    });
    const property = fc.property(noise, fc.string(), (a, b) => {
      const read = [a, `xmpp:${a}`, `xmpp:${b}`].flatMap((text) => readXmppUri(text)?.jid ?? []);
      expect(read.map((jid) => parseBareJid(jid))).toEqual(read);
    });
    fc.assert(property, { numRuns: fuzzRuns(2_000) });
  });
});

describe('a link by which a server lets somebody make an account', () => {
  test.each([
    ['xmpp:b.test?register;preauth=T1', { domain: 'b.test', jid: null, token: 'T1' }],
    ['XMPP:Lea@B.test?register;preauth=T%2B1', { domain: 'b.test', jid: 'lea@b.test', token: 'T+1' }],
    ['xmpp:ben@b.test?roster;preauth=T1;ibr=y', { domain: 'b.test', jid: null, token: 'T1' }],
  ])('%s is read', (text, expected) => {
    expect(readServerInvitation(text)).toEqual(expected);
  });

  test('no text makes the reader fail or hang, and what it gives is a server and a word for it', () => {
    const noise = fc.string({
      unit: fc.constantFrom(
        'b.test',
        'lea@',
        '?',
        ';',
        '=',
        '%',
        'register',
        'roster',
        'preauth=',
        'ibr=y',
        '#',
        '/',
        'é',
      ),
      maxLength: 20,
    });
    const around = fc.constantFrom('', 'xmpp:', 'xmpp:b.test?register;preauth=', 'xmpp:lea@b.test?');
    const property = fc.property(around, noise, fc.string(), (start, a, b) => {
      for (const read of [a, start + a, start + b].map((text) => readServerInvitation(text))) {
        if (read === undefined) continue;
        const { domain, jid, token } = read;
        expect(parseBareJid(jid ?? `guest@${domain}`).split('@')[1]).toBe(domain);
        expect(token.length > 0 && token.length <= 200).toBe(true);
      }
    });
    fc.assert(property, { numRuns: fuzzRuns(2_000) });
  });

  test.each([
    'xmpp:b.test?register',
    'xmpp:ben@b.test?roster;preauth=T1',
    'xmpp:b.test?roster;preauth=',
    'https://b.test/invite?T1',
    'xmpp:b test?register;preauth=T1',
    'xmpp:?register;preauth=T1',
  ])('%s is none', (text) => {
    expect(readServerInvitation(text)).toBeUndefined();
  });
});
