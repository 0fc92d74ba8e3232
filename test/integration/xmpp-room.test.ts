import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { toUtf8 } from '../../src/base/bytes.ts';
import { type BareJid, parseBareJid, parseEventId, parseSphereId } from '../../src/base/id.ts';
import type { XmppClient } from '../../src/xmpp/client.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import { encryptedMessage, ephemeralMessage } from '../../src/xmpp/message.ts';
import { Room } from '../../src/xmpp/room.ts';
import type { RoomMessage } from '../../src/xmpp/room-types.ts';
import { NS_EPHEMERAL, readEphemeral, readSealed } from '../../src/xmpp/sealed.ts';
import { askDiscoInfo, askDiscoItems } from '../../src/xmpp/xep/0030-disco.ts';
import { kickOccupant, NS_MUC_USER } from '../../src/xmpp/xep/0045-muc.ts';
import { answerDisco, CapsCache, capsTag } from '../../src/xmpp/xep/0115-caps.ts';
import { originId } from '../../src/xmpp/xep/0359-stanza-ids.ts';
import { readOmemoMessage } from '../../src/xmpp/xep/0384-omemo.ts';
import { type Prosody, startProsody } from '../fixtures/prosody.ts';
import { codeOf, machine, never, signIn, until } from '../fixtures/xmpp-accounts.ts';

const ana = parseBareJid('ana@a.test');
const ben = parseBareJid('ben@a.test');
const eve = parseBareJid('eve@a.test');
let server: Prosody;

beforeAll(async () => {
  server = await startProsody({ users: { ana: 'pw', ben: 'pw', eve: 'pw' } });
});
afterAll(async () => {
  await server.stop();
});

function roomAddress(client: XmppClient): BareJid {
  return parseBareJid(`${client.newId()}@${server.mucDomain}`);
}

function roomOf(client: XmppClient, address: BareJid, extras?: () => readonly Element[]): Room {
  const nick = client.jid.split('@')[0] ?? '';
  const room = new Room({ client, address, nick, ...machine, ...(extras === undefined ? {} : { extras }) });
  onTestFinished(async () => await room[Symbol.asyncDispose]());
  return room;
}

/** A room of ana's with ben in it. */
async function meet(): Promise<{ a: XmppClient; b: XmppClient; hers: Room; his: Room; address: BareJid }> {
  const [a, b] = await Promise.all([signIn(server, 'ana'), signIn(server, 'ben')]);
  const address = roomAddress(a);
  const hers = roomOf(a, address);
  const his = roomOf(b, address);
  await hers.create(never);
  await hers.setAffiliation(ben, 'member', never);
  await his.join(never);
  return { a, b, hers, his, address };
}

function line(client: XmppClient, text: string, room: BareJid): Element {
  const id = client.newId();
  return xml('message', { to: room, type: 'groupchat', id }, xml('body', {}, text), originId(id));
}

const textOf = ({ stanza }: RoomMessage): string | null => stanza.getChildText('body');

async function all(history: AsyncIterable<RoomMessage>): Promise<RoomMessage[]> {
  const messages: RoomMessage[] = [];
  for await (const message of history) messages.push(message);
  return messages;
}

describe('a room', () => {
  test('is created closed, visible to its members only, and listed nowhere', async () => {
    const { a, b, hers, address } = await meet();
    const { features } = await askDiscoInfo(a, address, never);
    expect(features).toEqual(
      expect.arrayContaining(['muc_membersonly', 'muc_nonanonymous', 'muc_persistent', 'muc_hidden', 'urn:xmpp:mam:2']),
    );
    expect(await askDiscoItems(b, server.mucDomain, never)).not.toContain(address);
    expect(hers.state).toEqual({ kind: 'inside' });
  });

  test('that exists cannot be created again', async () => {
    const { a, hers, address } = await meet();
    await hers.leave();
    expect(await codeOf(roomOf(a, address).create(never))).toBe('conflict');
  });

  test('refuses who is no member', async () => {
    const { address } = await meet();
    const outsider = roomOf(await signIn(server, 'eve'), address);
    expect(await codeOf(outsider.join(never))).toBe('not-a-member');
    expect(await codeOf(all(outsider.history(null, never)))).toBe('not-allowed');
    expect(outsider.state.kind).toBe('outside');
  });

  test('that is gone is not made anew by entering it', async () => {
    const a = await signIn(server, 'ana');
    const address = roomAddress(a);
    expect(await codeOf(roomOf(a, address).join(never))).toBe('not-found');
    expect(await codeOf(askDiscoInfo(a, address, never))).toBe('not-found');
  });

  test('does not let members bring others in', async () => {
    const { his, b, address } = await meet();
    expect(await codeOf(his.setAffiliation(eve, 'member', never))).toBe('not-allowed');
    const invite = xml('invite', { to: eve });
    await b.send(xml('message', { to: address }, xml('x', { xmlns: 'http://jabber.org/protocol/muc#user' }, invite)));
    await sleep(200);
    expect(await his.affiliations(never)).toEqual([
      { jid: ana, affiliation: 'owner' },
      { jid: ben, affiliation: 'member' },
    ]);
  });

  test('shows who is there under their real addresses and with their abilities', async () => {
    const [a, b] = await Promise.all([signIn(server, 'ana'), signIn(server, 'ben')]);
    const info = { identities: [{ category: 'client', type: 'pc', name: 'Spherecast' }], features: [NS_EPHEMERAL] };
    using _answers = answerDisco(b, info);
    const address = roomAddress(a);
    const hers = roomOf(a, address);
    await hers.create(never);
    await hers.setAffiliation(ben, 'member', never);
    await roomOf(b, address, () => [capsTag(info)]).join(never);
    await until(() => hers.occupants.length === 2, 'two occupants');
    const his = hers.occupants.find(({ nick }) => nick === 'ben');
    expect(his).toMatchObject({ jid: ben, fullJid: b.fullJid, affiliation: 'member' });
    if (his?.caps === undefined || his.caps === null) throw new Error('no abilities');
    const caps = new CapsCache({ client: a, own: { identities: [], features: [] } });
    expect(await caps.featuresOf(`${address}/ben`, his.caps)).toEqual(new Set([NS_EPHEMERAL]));
  });
});

describe('messages', () => {
  test('come back with the room’s id and reach the others under the sender’s real address', async () => {
    const { a, hers, his, address } = await meet();
    const mine: RoomMessage[] = [];
    const theirs: RoomMessage[] = [];
    hers.onMessage.on((message) => mine.push(message));
    his.onMessage.on((message) => theirs.push(message));
    const stanzaId = await hers.send(line(a, 'hello', address));
    await until(() => theirs.length === 1, 'the message');
    expect(stanzaId).toMatch(/./);
    expect(mine).toMatchObject([{ from: ana, nick: 'ana', stanzaId, isReflection: true, archived: false }]);
    expect(theirs).toMatchObject([{ from: ana, nick: 'ana', stanzaId, isReflection: false, delayMs: null }]);
  });

  test('of a member who was away are read from the archive, page by page, in order, once', async () => {
    const { a, hers, his, address } = await meet();
    await his.leave();
    const sent = Array.from({ length: 120 }, (_, index) => `line ${index}`);
    const ids: (string | null)[] = [];
    for (const text of sent) ids.push(await hers.send(line(a, text, address)));
    const found = await all(his.history(null, never));
    expect(found.map(textOf)).toEqual(sent);
    expect(found.map(({ stanzaId }) => stanzaId)).toEqual(ids);
    expect(found.every(({ from, archived, delayMs }) => from === ana && archived && delayMs !== null)).toBe(true);
    expect((await all(his.history(ids[99] ?? null, never))).map(textOf)).toEqual(sent.slice(100));
    expect(await all(his.history(ids[119] ?? null, never))).toEqual([]);
    expect(await all(his.history('forgotten', never))).toHaveLength(120);
  });

  test('with our sealed part pass whole, are kept, and ephemeral ones are not', async () => {
    const { a, hers, his, address } = await meet();
    const sphere = parseSphereId('11'.repeat(32));
    const event = parseEventId('22'.repeat(32));
    const omemo = {
      senderDeviceId: 7,
      keys: [{ deviceId: 8, preKey: true, data: toUtf8('key') }],
      iv: new Uint8Array(12),
      payload: null,
    };
    const sealed = { sphere, event, bytes: toUtf8('sealed bytes') };
    const live: RoomMessage[] = [];
    his.onMessage.on((message) => live.push(message));
    const content = { to: address, type: 'groupchat', omemo, sealed, hasLine: false } as const;
    await hers.send(encryptedMessage({ ...content, id: a.newId() }));
    const ephemeral = { sphere, epoch: event, bytes: toUtf8('gone') };
    await hers.sendNow(ephemeralMessage({ to: address, type: 'groupchat', id: a.newId(), ephemeral }));
    await until(() => live.length === 2, 'both messages');
    expect(live.map(({ stanza }) => readEphemeral(stanza))).toEqual([undefined, ephemeral]);
    expect(live[0] === undefined ? undefined : readSealed(live[0].stanza)).toEqual(sealed);
    const kept = await all(his.history(null, never));
    expect(kept.map(({ stanza }) => [readOmemoMessage(stanza), readSealed(stanza)])).toEqual([[omemo, sealed]]);
  });

  test('claiming another author or archive id get neither', async () => {
    const { b, his, hers, address } = await meet();
    const seen: RoomMessage[] = [];
    hers.onMessage.on((message) => seen.push(message));
    const forged = line(b, 'forged', address);
    forged.append(
      xml('stanza-id', { xmlns: 'urn:xmpp:sid:0', by: address, id: 'mine' }),
      xml('x', { xmlns: 'http://jabber.org/protocol/muc#user' }, xml('item', { jid: ana, affiliation: 'owner' })),
    );
    const stanzaId = await his.send(forged);
    await until(() => seen.length === 1, 'the message');
    expect(seen).toMatchObject([{ from: ben, nick: 'ben', stanzaId }]);
    expect(stanzaId).not.toBe('mine');
    // The archive keeps the claim beside its own note, so nobody can tell the two apart.
    expect(await all(hers.history(null, never))).toMatchObject([{ from: null, stanzaId }]);
  });

  test('cannot be sent from outside', async () => {
    const { b, his, address } = await meet();
    await his.leave();
    expect(await codeOf(his.send(line(b, 'hello', address)))).toBe('disconnected');
  });
});

describe('leaving', () => {
  test.each([
    ['removed from the members', 'not-a-member', (room: Room) => room.setAffiliation(ben, 'none', never)],
    ['banned', 'banned', (room: Room) => room.setAffiliation(ben, 'outcast', never)],
    ['outlived by the room', 'destroyed', (room: Room) => room.destroy(null, never)],
  ])('a member who is %s is sent out and refused', async (_, reason, act) => {
    const { b, hers, his, address } = await meet();
    await act(hers);
    await until(() => his.state.kind === 'refused', 'the removal');
    expect(his.state).toEqual({ kind: 'refused', reason });
    expect(await codeOf(his.send(line(b, 'still here?', address)))).toBe('disconnected');
  });

  test('who is in a room that is removed hears which one takes its place', async () => {
    const { b, hers } = await meet();
    const next: unknown[] = [];
    const isDestroy = (stanza: Element) => stanza.getChild('x', NS_MUC_USER)?.getChild('destroy');
    b.onStanza.on((stanza) => next.push(...[isDestroy(stanza)?.attrs['jid'] ?? []].flat()));
    await hers.destroy(parseBareJid('next@rooms.b.test'), never);
    await until(() => next.length > 0, 'the removal');
    expect([next, hers.state.kind]).toEqual([['next@rooms.b.test'], 'outside']);
  });

  test('a member who is kicked comes back by himself', async () => {
    const { a, his, address } = await meet();
    const states: string[] = [];
    his.onState.on(({ kind }) => states.push(kind));
    await kickOccupant(a, address, 'ben', never);
    await until(() => states.includes('inside'), 'the return');
    expect(states).toEqual(['entering', 'inside']);
  });

  test('a refused member comes in as soon as he is told that he is let in', async () => {
    const { b, hers, his } = await meet();
    await b.send(xml('presence'));
    let expelled = 0;
    hers.onExpelled.on(() => (expelled += 1));
    await hers.setAffiliation(ben, 'none', never);
    await until(() => his.state.kind === 'refused' && expelled === 1, 'the removal');
    await hers.setAffiliation(ben, 'member', never);
    await hers.invite(ben);
    await until(() => his.state.kind === 'inside', 'the return');
    expect(hers.occupants.map(({ jid }) => jid).toSorted()).toEqual([ana, ben]);
  });

  test('a removed member cannot come back or read the archive', async () => {
    const { hers, his } = await meet();
    await hers.setAffiliation(ben, 'none', never);
    await until(() => his.state.kind === 'refused', 'the removal');
    expect(await codeOf(his.join(never))).toBe('not-a-member');
    expect(await codeOf(all(his.history(null, never)))).toBe('not-allowed');
  });
});

describe('when the server restarts', () => {
  test('all come back by themselves and miss nothing', async () => {
    const own = await startProsody({ users: { ana: 'pw', ben: 'pw' } });
    onTestFinished(async () => await own.stop());
    const [a, b] = await Promise.all([signIn(own, 'ana'), signIn(own, 'ben')]);
    const address = parseBareJid(`family@${own.mucDomain}`);
    const [hers, his] = [roomOf(a, address), roomOf(b, address)];
    await hers.create(never);
    await hers.setAffiliation(ben, 'member', never);
    await his.join(never);
    const before = await hers.send(line(a, 'before', address));
    const states: string[] = [];
    his.onState.on((state) => states.push(state.kind));
    await own.restart();
    await until(() => hers.state.kind === 'inside' && a.state.kind === 'online', 'ana is back');
    await hers.send(line(a, 'after', address));
    await until(() => his.state.kind === 'inside' && b.state.kind === 'online', 'ben is back');
    expect(states).toEqual(['entering', 'inside']);
    expect((await all(his.history(before, never))).map(textOf)).toEqual(['after']);
    await until(() => hers.occupants.length === 2, 'both are seen');
  });
});
