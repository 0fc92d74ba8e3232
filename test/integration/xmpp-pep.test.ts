import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { ABILITIES, FIRST_ABILITIES } from '../../src/engine/abilities.ts';
import type { XmppClient } from '../../src/xmpp/client.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import { fetchItems } from '../../src/xmpp/xep/0060-pubsub.ts';
import { answerDisco, sendPresence } from '../../src/xmpp/xep/0115-caps.ts';
import { publishToPep } from '../../src/xmpp/xep/0163-pep.ts';
import { publishNick, readNickNews } from '../../src/xmpp/xep/0172-nickname.ts';
import { enableCarbons, readCarbon } from '../../src/xmpp/xep/0280-carbons.ts';
import { queryArchive } from '../../src/xmpp/xep/0313-mam.ts';
import {
  DEVICE_LIST_NODE,
  fetchBundle,
  fetchDeviceList,
  onDeviceList,
  publishBundle,
  publishDeviceList,
} from '../../src/xmpp/xep/0384-omemo.ts';
import { type Prosody, startProsody } from '../fixtures/prosody.ts';
import { codeOf, never, signIn, until } from '../fixtures/xmpp-accounts.ts';

const ana = parseBareJid('ana@a.test');
const ben = parseBareJid('ben@a.test');
const info = {
  identities: [{ category: 'client', type: 'pc', name: 'Spherecast' }],
  features: ['http://jabber.org/protocol/disco#info', `${DEVICE_LIST_NODE}+notify`],
};
let server: Prosody;

beforeAll(async () => {
  server = await startProsody({ users: { ana: 'pw', ben: 'pw' } });
});
afterAll(async () => {
  await server.stop();
});

const publicKey = (): Uint8Array => Uint8Array.of(5, ...systemRandom(32));
const payload = (text: string): Element => xml('x', { xmlns: 'urn:x' }, text);

async function befriend(a: XmppClient, b: XmppClient): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    await from.send(xml('presence', { to: to.jid, type: 'subscribe' }));
    await to.send(xml('presence', { to: from.jid, type: 'subscribed' }));
  }
}

describe('personal nodes', () => {
  test('are readable as asked, also when the node was there before with another rule', async () => {
    const [a, b] = await Promise.all([signIn(server, 'ana'), signIn(server, 'ben')]);
    const node = 'urn:example:switch';
    await publishToPep(a, { node, id: 'current', payload: payload('1') }, 'whitelist', never);
    expect(await codeOf(fetchItems(b, ana, node, {}, never))).toBe('not-allowed');
    await publishToPep(a, { node, id: 'current', payload: payload('2') }, 'open', never);
    expect((await fetchItems(b, ana, node, {}, never)).map(({ payload: item }) => item?.getText())).toEqual(['2']);
    await publishToPep(a, { node, id: 'current', payload: payload('3') }, 'whitelist', never);
    expect(await codeOf(fetchItems(b, ana, node, {}, never))).toBe('not-allowed');
    expect((await fetchItems(a, ana, node, {}, never)).map(({ payload: item }) => item?.getText())).toEqual(['3']);
  });
});

describe('OMEMO devices', () => {
  test('of an account that has none are an empty list', async () => {
    const b = await signIn(server, 'ben');
    expect(await fetchDeviceList(b, parseBareJid('nobody@a.test'), never).catch(() => [])).toEqual([]);
    expect(await fetchDeviceList(b, ben, never)).toEqual([]);
    expect(await codeOf(fetchBundle(b, ben, 5, never))).toBe('not-found');
  });

  test('are published, and read by everybody', async () => {
    const [a, b] = await Promise.all([signIn(server, 'ana'), signIn(server, 'ben')]);
    const bundle = {
      identityKey: publicKey(),
      signedPreKey: { id: 1, publicKey: publicKey(), signature: systemRandom(64) },
      preKeys: Array.from({ length: 100 }, (_, index) => ({ id: index + 1, publicKey: publicKey() })),
    };
    await publishBundle(a, 4711, bundle, never);
    await publishDeviceList(a, [4711, 815], never);
    expect(await fetchDeviceList(b, ana, never)).toEqual([4711, 815]);
    expect(await fetchBundle(b, ana, 4711, never)).toEqual(bundle);
    expect(await fetchDeviceList(a, ana, never)).toEqual([4711, 815]);
  });

  test('that change are told to contacts and to our own other devices', async () => {
    const [a, phone, b] = await Promise.all([signIn(server, 'ana'), signIn(server, 'ana'), signIn(server, 'ben')]);
    const told = new Set<string>();
    for (const [name, client] of [
      ['phone', phone],
      ['ben', b],
    ] as const) {
      answerDisco(client, info);
      onDeviceList(client, (jid, ids) => told.add(`${name}: ${jid} ${ids.join()}`));
      await sendPresence(client, info);
    }
    await sendPresence(a, info);
    await befriend(a, b);
    // The server asks for our abilities before it tells news.
    await sleep(500);
    await publishDeviceList(a, [1, 2, 3], never);
    await until(() => told.has('phone: ana@a.test 1,2,3') && told.has('ben: ana@a.test 1,2,3'), 'both notifications');
    expect([...told].every((line) => line.includes('ana@a.test') || line.startsWith('ben: ben'))).toBe(true);
  });
});

test('news that are announced as wanted later come then, and not at signing in', async () => {
  const [a, b] = await Promise.all([signIn(server, 'ana'), signIn(server, 'ben')]);
  const news: (string | null)[] = [];
  a.onStanza.on((stanza) => {
    const told = readNickNews(stanza);
    if (told?.jid === ben) news.push(told.nick);
  });
  answerDisco(a, ABILITIES, FIRST_ABILITIES);
  await sendPresence(a, FIRST_ABILITIES);
  await b.send(xml('presence'));
  await befriend(a, b);
  await publishNick(b, 'Benny', never);
  await sleep(1_500);
  expect(news).toEqual([]);
  await sendPresence(a, ABILITIES);
  await until(() => news.includes('Benny'), 'the name');
});

describe('a message between two people', () => {
  test('is confirmed by the server, copied to the other device, and found in the archive', async () => {
    const [a, phone, b] = await Promise.all([signIn(server, 'ana'), signIn(server, 'ana'), signIn(server, 'ben')]);
    await Promise.all([enableCarbons(a, never), enableCarbons(phone, never), b.send(xml('presence'))]);
    const copies: (string | null | undefined)[] = [];
    const seen: (string | null)[] = [];
    phone.onStanza.on((stanza) => copies.push(readCarbon(stanza, ana)?.message.getChildText('body')));
    b.onStanza.on((stanza) => seen.push(stanza.getChildText('body')));
    const text = `grüße 🎬 ${'é€🎬'.repeat(8000)}`;
    await a.sendConfirmed(xml('message', { to: ben, type: 'chat', id: a.newId() }, xml('body', {}, text)), never);
    await until(() => copies.includes(text) && seen.includes(text), 'the copy and the message');
    const found: (string | null)[] = [];
    for await (const entry of queryArchive(a, { with: ben }, never)) found.push(entry.message.getChildText('body'));
    expect(found).toEqual([text]);
  });
});
