import { describe, expect, onTestFinished, test } from 'vitest';
import { RosterPort } from '../../test/fixtures/roster-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { type Element, xml } from '../xmpp/element.ts';
import { Contacts } from './contacts.ts';

const BEN = parseBareJid('ben@b.test');

const item = (jid: string, subscription: string, more: Record<string, string> = {}): Element =>
  xml('item', { jid, subscription, ...more });

function setUp(members: readonly string[] = []) {
  const folder = new StorageFolder();
  const storage = folder.open();
  const client = new RosterPort();
  const changed: string[] = [];
  const contacts = new Contacts({
    ...{ client, storage, clock: systemClock, log: silentLogger },
    sharesSphere: (jid) => members.includes(jid),
    spawn: (_name, task) => void task(never),
  });
  contacts.onChange.on((jid) => changed.push(jid));
  onTestFinished(() => {
    contacts[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  return { client, contacts, storage, changed };
}

const never = new AbortController().signal;

describe('the list of people', () => {
  test('is taken from the server, and whoever was taken off it elsewhere is gone', async () => {
    const { client, contacts } = setUp();
    client.items = [item('ben@b.test', 'both', { name: ' Benny ' }), item('eve@b.test', 'none', { ask: 'subscribe' })];
    await contacts.begin(never);
    expect(contacts.get(BEN)).toMatchObject({ name: 'Benny', standing: 'contact', subscription: 'both', asked: false });
    expect(contacts.get(parseBareJid('eve@b.test'))).toMatchObject({ name: null, subscription: 'none', asked: true });
    client.items = [item('ben@b.test', 'both')];
    await contacts.begin(never);
    expect(contacts.list().map(({ jid, name }) => ({ jid, name }))).toEqual([{ jid: BEN, name: null }]);
  });

  test('changes by news of our own account', async () => {
    const { client, contacts, changed } = setUp();
    await client.push(client.jid, item('ben@b.test', 'to'));
    expect(contacts.get(BEN)?.subscription).toBe('to');
    await client.push(client.jid, item('ben@b.test', 'remove'));
    expect(contacts.get(BEN)).toBeUndefined();
    expect(changed).toEqual([BEN, BEN]);
  });

  test.each(['eve@b.test', 'eve@b.test/x', 'ana@a.test/other', 'a.test', 'ana@a.test.evil'])(
    'does not change by news that %s forged',
    async (forger) => {
      const { client, contacts, changed } = setUp();
      await expect(client.push(forger, item('eve@b.test', 'both'))).rejects.toMatchObject({ code: 'not-allowed' });
      expect(contacts.list()).toEqual([]);
      expect(changed).toEqual([]);
    },
  );

  test('keeps what was said with somebody who was taken off', async () => {
    const { client, contacts, storage } = setUp();
    await client.push(client.jid, item('ben@b.test', 'both', { name: 'Benny' }));
    const line = { id: 'a'.repeat(64) as never, peer: BEN, mine: false, stanzaId: null, text: 'hi', atMs: 1 };
    storage.directMessages.add({ ...line, state: 'received', failure: null, encrypted: true, person: null });
    await contacts.remove(BEN, never);
    expect(contacts.get(BEN)).toMatchObject({ standing: 'met', subscription: 'none' });
    expect(storage.directMessages.count(BEN)).toBe(1);
  });
});

describe('who sees whom', () => {
  test('adding somebody asks them, and answers what they asked', async () => {
    const { client, contacts } = setUp();
    await contacts.add(BEN, { name: 'Benny' }, never);
    expect(client.asked.map(String)).toEqual([
      '<query xmlns="jabber:iq:roster"><item jid="ben@b.test" name="Benny"/></query>',
    ]);
    client.presence('eve@b.test/phone', 'subscribe');
    const eve = parseBareJid('eve@b.test');
    expect(contacts.get(eve)).toMatchObject({ standing: 'request', wants: true });
    await contacts.add(eve, { name: null }, never);
    expect(contacts.get(eve)).toMatchObject({ standing: 'contact', wants: false, asked: true });
    expect(client.subscriptions).toEqual(['subscribe ben@b.test', 'subscribed eve@b.test', 'subscribe eve@b.test']);
  });

  test('a link that somebody gave away goes with the request, and a request without it follows', async () => {
    const { client, contacts } = setUp();
    await contacts.add(BEN, { name: null, token: 'T1' }, never);
    expect(client.subscriptions).toEqual(['subscribe ben@b.test', 'subscribe ben@b.test']);
    expect(client.sent.map((stanza) => stanza.getChild('preauth', 'urn:xmpp:pars:0')?.attrs['token'])).toEqual([
      'T1',
      undefined,
    ]);
  });

  test('whoever we added may see us too', async () => {
    const { client, contacts } = setUp();
    await contacts.add(BEN, { name: null }, never);
    client.presence('ben@b.test', 'subscribe');
    expect(client.subscriptions).toEqual(['subscribe ben@b.test', 'subscribed ben@b.test']);
    expect(contacts.get(BEN)?.wants).toBe(false);
  });

  test('a contact is online as long as one of their programs is, a stranger never', async () => {
    const { client, contacts, changed } = setUp();
    await client.push(client.jid, item('ben@b.test', 'both'));
    client.presence('ben@b.test/phone');
    client.presence('ben@b.test/desk');
    client.presence('ben@b.test/phone', 'unavailable');
    expect(contacts.isOnline(BEN)).toBe(true);
    client.presence('ben@b.test/desk', 'unavailable');
    expect(contacts.isOnline(BEN)).toBe(false);
    client.presence('eve@b.test/x');
    expect(contacts.isOnline(parseBareJid('eve@b.test'))).toBe(false);
    client.presence('ben@b.test/phone');
    client.setState({ kind: 'offline', error: new Error('gone') as never });
    expect(contacts.isOnline(BEN)).toBe(false);
    expect(changed.filter((jid) => jid === BEN)).toHaveLength(5);
  });

  test('a contact who was online is so again after a break that the session survives, and not in a new session', async () => {
    const { client, contacts, changed } = setUp();
    await client.push(client.jid, item('ben@b.test', 'both'));
    client.presence('ben@b.test/phone');
    const offline = { kind: 'offline', error: new Error('gone') as never } as const;
    client.setState(offline);
    expect(contacts.isOnline(BEN)).toBe(false);
    const before = changed.length;
    client.setState({ kind: 'online', resumed: true });
    expect([contacts.isOnline(BEN), changed.slice(before)]).toEqual([true, [BEN]]);
    client.setState(offline);
    client.setState({ kind: 'online', resumed: false });
    expect(contacts.isOnline(BEN)).toBe(false);
  });
});

describe('requests of strangers', () => {
  test('of a thousand only twenty are kept, ten of one server', async () => {
    const { client, contacts } = setUp();
    for (let index = 0; index < 500; index += 1) client.presence(`spam${index}@evil.test`, 'subscribe');
    expect(contacts.list()).toHaveLength(10);
    for (let index = 0; index < 500; index += 1) client.presence(`spam${index}@s${index}.test`, 'subscribe');
    expect(contacts.list()).toHaveLength(20);
    expect(contacts.admits(parseBareJid('late@z.test'))).toBe(false);
    expect(contacts.admits(parseBareJid('spam1@evil.test'))).toBe(true);
    expect(client.sent).toEqual([]);
  });

  test('are no requests when we share a sphere', () => {
    const { contacts } = setUp(['ben@b.test']);
    expect(contacts.isStranger(BEN)).toBe(false);
    expect(contacts.meet(BEN, false)).toMatchObject({ standing: 'met' });
  });

  test('that are declined are answered once and forgotten', async () => {
    const { client, contacts } = setUp();
    client.presence('eve@b.test', 'subscribe');
    await contacts.decline(parseBareJid('eve@b.test'));
    expect(client.subscriptions).toEqual(['unsubscribed eve@b.test']);
    expect(contacts.list()).toEqual([]);
  });

  test('that are taken back are gone', () => {
    const { client, contacts } = setUp();
    client.presence('eve@b.test', 'subscribe');
    client.presence('eve@b.test', 'unsubscribe');
    expect(contacts.list()).toEqual([]);
  });

  test('of somebody who is blocked are nothing', () => {
    const { client, contacts, storage } = setUp();
    storage.blocked.add(parseBareJid('eve@b.test'));
    client.presence('eve@b.test', 'subscribe');
    expect(contacts.list()).toEqual([]);
    expect(contacts.admits(parseBareJid('eve@b.test'))).toBe(false);
  });
});
