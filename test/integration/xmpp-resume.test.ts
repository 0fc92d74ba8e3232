import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import { xml } from '../../src/xmpp/element.ts';
import { Room } from '../../src/xmpp/room.ts';
import { originId } from '../../src/xmpp/xep/0359-stanza-ids.ts';
import { startCutProxy } from '../fixtures/cut-proxy.ts';
import { startProsody } from '../fixtures/prosody.ts';
import { loginAt, machine, never, signIn, until } from '../fixtures/xmpp-accounts.ts';

test('a connection cut twice in a lively room loses and doubles nothing and stays in the room', async () => {
  await using server = await startProsody({ users: { ana: 'pw', ben: 'pw' } });
  await using proxy = await startCutProxy({ host: server.host, port: server.c2sPort });
  const login = { ...(await loginAt(server, 'ana', 'pw')), server: proxy };
  await using a = new XmppClient({ ...machine, login });
  await a.connect(never);
  const b = await signIn(server, 'ben');
  const address = parseBareJid(`family@${server.mucDomain}`);
  const hers = new Room({ client: a, address, nick: 'ana', ...machine });
  const his = new Room({ client: b, address, nick: 'ben', ...machine });
  onTestFinished(async () => {
    await hers[Symbol.asyncDispose]();
    await his[Symbol.asyncDispose]();
  });
  await hers.create(never);
  await hers.setAffiliation(parseBareJid('ben@a.test'), 'member', never);
  await his.join(never);
  const heard: (string | null)[] = [];
  const resumed: boolean[] = [];
  let joins = 0;
  hers.onMessage.on(({ stanza }) => heard.push(stanza.getChildText('body')));
  his.onOccupants.on(() => {
    joins += 1;
  });
  a.onState.on((state) => {
    if (state.kind === 'online') resumed.push(state.resumed);
  });
  const texts = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  for (const [index, text] of texts.entries()) {
    const id = b.newId();
    await his.send(xml('message', { to: address, type: 'groupchat', id }, xml('body', {}, text), originId(id)));
    if (index === 20) await until(() => a.state.kind === 'online', 'resumed once');
    if (index === 8 || index === 20) proxy.cut();
    await sleep(30);
  }
  await until(() => heard.length >= texts.length && hers.state.kind === 'inside', 'all messages');
  expect(heard).toEqual(texts);
  expect(resumed).toEqual([true, true]);
  expect(joins).toBe(0);
});
