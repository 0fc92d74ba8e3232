import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import { FAKE_FULL_JID } from '../fixtures/fake-xmpp-server.ts';
import { never, until } from '../fixtures/xmpp-accounts.ts';
import { xml } from '../../src/xmpp/element.ts';
import { onRosterNews, readRoster, readSubscriptionNews } from '../../src/xmpp/roster.ts';

let world: FakeXmppWorld;

beforeAll(async () => {
  world = await FakeXmppWorld.open();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const query = (...items: ReturnType<typeof xml>[]) =>
  xml('iq', {}, xml('query', { xmlns: 'jabber:iq:roster' }, ...items));

test('items that name no account, or a device, are left out; a strange subscription counts as none', () => {
  const items = ['ben@b.test', 'b.test', 'ben@b.test/phone', ''].map((jid) =>
    xml('item', { jid, subscription: 'all' }),
  );
  expect(readRoster(query(...items))).toEqual([{ jid: 'ben@b.test', name: null, subscription: 'none', asked: false }]);
});

test('a request names its account, and an ordinary presence is none', () => {
  const presence = (type?: string) => xml('presence', { from: 'ben@b.test/phone', type });
  expect(readSubscriptionNews(presence('subscribe'))).toEqual({ from: 'ben@b.test', type: 'subscribe' });
  expect(readSubscriptionNews(presence())).toBeUndefined();
  expect(readSubscriptionNews(presence('unavailable'))).toBeUndefined();
});

test('a server that passes on forged news of the list changes nothing', async () => {
  const server = await world.serve();
  const client = await world.clientOf(server);
  const heard: string[] = [];
  using _news = onRosterNews(client, (items) => heard.push(...items.map(({ jid }) => jid)));
  await client.connect(never);
  const push = (id: string, from: string): void =>
    server.push(
      `<iq type='set' id='${id}' to='${FAKE_FULL_JID}' ${from}><query xmlns='jabber:iq:roster'><item jid='${id}@b.test' subscription='both'/></query></iq>`,
    );
  push('forged1', "from='eve@b.test/x'");
  push('forged2', "from='romeo@a.test/other'");
  push('forged3', "from='a.test'");
  push('true1', "from='romeo@a.test'");
  push('true2', '');
  await until(() => heard.length === 2, 'the news of our own account');
  expect(heard).toEqual(['true1@b.test', 'true2@b.test']);
  await until(() => server.secureBytes().split('forbidden').length === 4, 'three refusals');
});
