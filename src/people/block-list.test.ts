import { expect, onTestFinished, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { type Element, xml } from '../xmpp/element.ts';
import type { IqHandler } from '../xmpp/port.ts';
import { BlockList } from './block-list.ts';

const NS_BLOCKING = 'urn:xmpp:blocking';
const EVE = parseBareJid('eve@b.test');
const never = new AbortController().signal;

/** A client whose server keeps a list of blocked people, or none at all. */
class BlockingPort extends FakeXmppPort {
  listed: string[] = [];
  readonly asked: string[] = [];
  readonly #handlers = new Map<string, IqHandler>();

  constructor(hasList = true) {
    super((payload, _to, type) => {
      if (!hasList) throw new AppError('not-allowed', 'no', { condition: 'service-unavailable' });
      if (type === 'set') this.asked.push(payload.toString());
      const items = this.listed.map((jid) => xml('item', { jid }));
      return xml('iq', { type: 'result' }, xml('blocklist', { xmlns: NS_BLOCKING }, ...items));
    });
  }

  override handleIq(_type?: string, _xmlns?: string, name?: string, handler?: IqHandler): Disposable {
    if (name !== undefined && handler !== undefined) this.#handlers.set(name, handler);
    return { [Symbol.dispose]: () => undefined };
  }

  async push(from: string, name: string, ...items: Element[]): Promise<void> {
    await this.#handlers.get(name)?.({ type: 'set', from, payload: xml(name, { xmlns: NS_BLOCKING }, ...items) });
  }
}

function setUp(client = new BlockingPort()) {
  const folder = new StorageFolder();
  const storage = folder.open();
  const list = new BlockList({ client, storage, log: silentLogger });
  onTestFinished(() => {
    list[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  return { client, list, blocked: () => storage.blocked.list() };
}

test('the server’s list counts: who was let in elsewhere is let in here', async () => {
  const { client, list, blocked } = setUp();
  client.listed = ['eve@b.test', 'mallory@c.test'];
  await list.begin(never);
  expect(blocked()).toEqual(['eve@b.test', 'mallory@c.test']);
  client.listed = ['mallory@c.test'];
  await list.begin(never);
  expect(blocked()).toEqual(['mallory@c.test']);
});

test('somebody is blocked with a report only when that is wished, and let in again', async () => {
  const { client, list, blocked } = setUp();
  await list.begin(never);
  await list.block(EVE, { report: false }, never);
  expect(blocked()).toEqual([EVE]);
  await list.unblock(EVE, never);
  await list.block(EVE, { report: true }, never);
  expect(client.asked).toEqual([
    '<block xmlns="urn:xmpp:blocking"><item jid="eve@b.test"/></block>',
    '<unblock xmlns="urn:xmpp:blocking"><item jid="eve@b.test"/></unblock>',
    '<block xmlns="urn:xmpp:blocking"><item jid="eve@b.test"><report xmlns="urn:xmpp:reporting:1" reason="urn:xmpp:reporting:spam"/></item></block>',
  ]);
});

test('news of our own account change the list, and an empty one lets everybody in', async () => {
  const { client, list, blocked } = setUp();
  await list.begin(never);
  await client.push(client.jid, 'block', xml('item', { jid: 'eve@b.test' }), xml('item', { jid: 'mallory@c.test' }));
  await client.push(client.jid, 'unblock', xml('item', { jid: 'eve@b.test' }));
  expect(blocked()).toEqual(['mallory@c.test']);
  await client.push(client.jid, 'unblock');
  expect(blocked()).toEqual([]);
});

test.each(['eve@b.test', 'ana@a.test/other', 'a.test'])('news that %s forged change nothing', async (forger) => {
  const { client, list, blocked } = setUp();
  client.listed = ['eve@b.test'];
  await list.begin(never);
  await expect(client.push(forger, 'unblock')).rejects.toMatchObject({ code: 'not-allowed' });
  await expect(client.push(forger, 'block', xml('item', { jid: 'ben@b.test' }))).rejects.toMatchObject({
    code: 'not-allowed',
  });
  expect(blocked()).toEqual(['eve@b.test']);
});

test('a server without such a list keeps nobody from blocking', async () => {
  const { list, blocked } = setUp(new BlockingPort(false));
  await list.begin(never);
  await list.block(EVE, { report: false }, never);
  expect(blocked()).toEqual([EVE]);
});
