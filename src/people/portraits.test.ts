import { createHash } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { RosterPort } from '../../test/fixtures/roster-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { toBase64, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseBareJid, parseEventId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { attr, child, type Element, xml } from '../xmpp/element.ts';
import { NS_PUBSUB, NS_PUBSUB_EVENT } from '../xmpp/xep/0060-pubsub.ts';
import { NS_AVATAR_DATA, NS_AVATAR_METADATA } from '../xmpp/xep/0084-avatar.ts';
import { NS_NICK } from '../xmpp/xep/0172-nickname.ts';
import { Contacts } from './contacts.ts';
import { OwnProfile } from './own-profile.ts';
import { Portraits } from './portraits.ts';

const BEN = parseBareJid('ben@b.test');
const EVE = parseBareJid('eve@e.test');
const FACE = toUtf8('the face of ben');
const OTHER = toUtf8('another face');
const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');
const never = new AbortController().signal;
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** Ana, with Ben on her list, and accounts that give `pictures` for whatever is asked. */
async function setUp(pictures: readonly Uint8Array[] = [FACE, OTHER]) {
  const folder = new StorageFolder();
  const storage = folder.open();
  const asked: string[] = [];
  const published: Element[] = [];
  const faults: string[] = [];
  const delays: number[] = [];
  const clock = new VirtualClock();
  const client = new FakeXmppPort((payload, to, type) => {
    const fault = faults.shift();
    if (fault !== undefined) throw new AppError(fault as 'disconnected', 'refused');
    if (type === 'set') {
      published.push(payload);
      return xml('iq', { type: 'result' });
    }
    const items = child(payload, 'items');
    const id = attr(child(items, 'item'), 'id');
    asked.push(`${to} ${payload.name === 'vCard' ? 'vCard' : id}`);
    const bytes = pictures.find((one) => sha1(one) === id) ?? pictures[0] ?? new Uint8Array();
    if (payload.name === 'vCard') {
      const photo = xml('PHOTO', {}, xml('BINVAL', {}, toBase64(bytes)));
      return xml('iq', {}, xml('vCard', { xmlns: 'vcard-temp' }, photo));
    }
    const data = xml('item', { id }, xml('data', { xmlns: NS_AVATAR_DATA }, toBase64(bytes)));
    return xml('iq', {}, xml('pubsub', { xmlns: NS_PUBSUB }, xml('items', { node: NS_AVATAR_DATA }, data)));
  });
  const roster = new RosterPort();
  const parts = { storage, clock, log: silentLogger };
  const spawn = (_name: string, task: (signal: AbortSignal) => Promise<void>): void => void task(never);
  const contacts = new Contacts({ ...parts, client: roster, sharesSphere: () => false, spawn });
  roster.items = [xml('item', { jid: BEN, subscription: 'both' })];
  await contacts.begin(never);
  /** Draws nothing: what it gives is the bytes behind a sign. */
  const tools = {
    portrait: async (bytes: Uint8Array) => {
      const delayMs = delays.shift() ?? 0;
      if (delayMs > 0) await clock.sleep(delayMs, never);
      return bytes.length === 0 ? null : { png: bytes, side: 192, image: Uint8Array.of(7, ...bytes) };
    },
  };
  const portraits = new Portraits({ ...parts, client, contacts, tools, spawn });
  portraits.begin();
  const changed: string[] = [];
  portraits.onChange.on((jid) => changed.push(jid));
  onTestFinished(() => {
    portraits[Symbol.dispose]();
    contacts[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const tell = async (from: string, node: string, ...items: Element[]): Promise<void> => {
    const event = xml('event', { xmlns: NS_PUBSUB_EVENT }, xml('items', { node }, ...items));
    client.onStanza.emit(xml('message', { from, type: 'headline' }, event));
    await settled();
  };
  const showFace = (from: string, bytes: Uint8Array | null): Promise<void> => {
    const id = bytes === null ? 'current' : sha1(bytes);
    const info = bytes === null ? null : xml('info', { id, bytes: bytes.length, type: 'image/png' });
    return tell(from, NS_AVATAR_METADATA, xml('item', { id }, xml('metadata', { xmlns: NS_AVATAR_METADATA }, info)));
  };
  const showPhoto = async (from: string, photo: string): Promise<void> => {
    const update = xml('x', { xmlns: 'vcard-temp:x:update' }, xml('photo', {}, photo));
    client.onStanza.emit(xml('presence', { from: `${from}/phone` }, update));
    await settled();
  };
  const call = (from: string, nick: string): Promise<void> =>
    tell(from, NS_NICK, xml('item', { id: 'current' }, xml('nick', { xmlns: NS_NICK }, nick)));
  const profile = new OwnProfile({ client, storage, portraits, tools });
  const image = (jid: typeof BEN) => storage.portraits.image(storage.portraits.idOf(jid) ?? '');
  return {
    client,
    clock,
    contacts,
    delays,
    portraits,
    storage,
    roster,
    asked,
    published,
    faults,
    changed,
    profile,
    image,
    showFace,
    showPhoto,
    call,
  };
}

describe('the picture of somebody on the list', () => {
  test('is fetched once, kept as it was drawn here, and gone when they take it away', async () => {
    const { asked, changed, image, showFace } = await setUp();
    await showFace(BEN, FACE);
    await showFace(BEN, FACE);
    expect(asked).toEqual([`${BEN} ${sha1(FACE)}`]);
    expect(image(BEN)).toEqual(Uint8Array.of(7, ...FACE));
    await showFace(BEN, null);
    expect(image(BEN)).toBeUndefined();
    expect(changed).toEqual([BEN, BEN]);
  });

  test('is not taken when its bytes are others than announced, and not asked for again', async () => {
    const { asked, image, showFace } = await setUp([OTHER]);
    await showFace(BEN, FACE);
    await showFace(BEN, FACE);
    expect(image(BEN)).toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  test('is not fetched of strangers, of people who ask, or of those who are blocked', async () => {
    const { asked, contacts, storage, showFace, showPhoto, call } = await setUp();
    await showFace(EVE, FACE);
    contacts.meet(EVE, false);
    await showFace(EVE, FACE);
    await showPhoto(EVE, sha1(FACE));
    await call(EVE, 'Ben');
    storage.blocked.add(BEN);
    await showFace(BEN, FACE);
    expect(asked).toEqual([]);
    expect(contacts.get(EVE)).toMatchObject({ standing: 'request', nick: null, avatar: null });
  });

  test('that was cut off by the connection is fetched when it goes on', async () => {
    const { client, faults, image, showFace } = await setUp();
    faults.push('disconnected');
    await showFace(BEN, FACE);
    expect(image(BEN)).toBeUndefined();
    client.setState({ kind: 'online', resumed: true });
    await settled();
    expect(image(BEN)).toBeDefined();
  });

  test('is fetched after all that was missed in a new session, and then once', async () => {
    const { client, portraits, asked, image, showFace, showPhoto } = await setUp();
    client.setState({ kind: 'online', resumed: false });
    await showPhoto(BEN, sha1(FACE));
    for (const face of [OTHER, FACE]) await showFace(BEN, face);
    expect(asked).toEqual([]);
    portraits.begin();
    await settled();
    expect(asked).toEqual([`${BEN} ${sha1(FACE)}`]);
    expect(image(BEN)).toEqual(Uint8Array.of(7, ...FACE));
  });

  test('goes when they are taken off the list', async () => {
    const { roster, image, showFace, client } = await setUp();
    await showFace(BEN, FACE);
    expect(image(BEN)).toBeDefined();
    await roster.push(client.jid, xml('item', { jid: BEN, subscription: 'remove' }));
    expect(image(BEN)).toBeUndefined();
  });

  test('comes out of their vCard where their account tells of no other', async () => {
    const { asked, image, showFace, showPhoto } = await setUp();
    await showPhoto(BEN, sha1(FACE));
    expect(image(BEN)).toEqual(Uint8Array.of(7, ...FACE));
    await showFace(BEN, OTHER);
    await showPhoto(BEN, '');
    await showPhoto(BEN, sha1(FACE));
    expect(image(BEN)).toEqual(Uint8Array.of(7, ...OTHER));
    expect(asked).toEqual([`${BEN} vCard`, `${BEN} ${sha1(OTHER)}`]);
  });

  test('that changes all the time is not fetched each time', async () => {
    const faces = Array.from({ length: 20 }, (_, index) => toUtf8(`face ${index}`));
    const { asked, showFace } = await setUp(faces);
    for (const face of faces) await showFace(BEN, face);
    expect(asked).toHaveLength(2);
  });
});

test('the picture of somebody who is blocked is gone, and comes anew when they are let in again', async () => {
  const { asked, contacts, storage, image, showFace } = await setUp();
  await showFace(BEN, FACE);
  storage.blocked.add(BEN);
  contacts.onChange.emit(BEN);
  expect(image(BEN)).toBeUndefined();
  storage.blocked.remove(BEN);
  contacts.onChange.emit(BEN);
  contacts.onChange.emit(BEN);
  await settled();
  expect([image(BEN) !== undefined, asked.length]).toEqual([true, 2]);
});

test('a name that changes all the time is shown anew only so often, and in the end it is the newest', async () => {
  const { clock, contacts, changed, call } = await setUp();
  for (let turn = 0; turn < 500; turn += 1) await call(BEN, `Ben the ${turn}th`);
  expect(changed).toHaveLength(5);
  await clock.advance(60_000);
  expect([changed.length, contacts.get(BEN)?.nick]).toEqual([6, 'Ben the 499th']);
});

test('after a picture that took long others wait, so that what people say comes between', async () => {
  const { clock, asked, roster, contacts, client, delays, showFace } = await setUp();
  await roster.push(client.jid, xml('item', { jid: EVE, subscription: 'both' }));
  expect(contacts.get(EVE)?.standing).toBe('contact');
  delays.push(10_000);
  await showFace(BEN, FACE);
  await showFace(EVE, OTHER);
  await clock.advance(39_000);
  expect(asked).toHaveLength(1);
  await clock.advance(2_000);
  expect(asked).toHaveLength(2);
});

test('whoever is taken off the list is no longer called as they wished', async () => {
  const { client, contacts, roster, storage, call } = await setUp();
  const line = { id: parseEventId('1'.repeat(64)), peer: BEN, mine: false, stanzaId: null, text: 'hello', atMs: 1 };
  const rest = { state: 'received', failure: null, encrypted: true, person: null } as const;
  storage.directMessages.add({ ...line, ...rest });
  await call(BEN, 'Benny');
  await roster.push(client.jid, xml('item', { jid: BEN, subscription: 'remove' }));
  expect(contacts.get(BEN)).toMatchObject({ standing: 'met', nick: null, avatar: null });
});

test('what somebody on the list calls themselves is kept as one short line', async () => {
  const { contacts, changed, call } = await setUp();
  await call(BEN, ' Benny\u202e \n');
  await call(BEN, 'Benny');
  expect(contacts.get(BEN)?.nick).toBe('Benny');
  await call(BEN, 'ana@a.test');
  expect(contacts.get(BEN)?.nick).toBeNull();
  expect(changed).toEqual([BEN, BEN]);
});

describe('our own profile', () => {
  test('is published for those who may see us, bytes before their announcement', async () => {
    const { client, storage, published, profile, image } = await setUp();
    storage.account.put({ jid: client.jid, password: 'secret', server: null, ca: null });
    await profile.setPicture(FACE, never);
    await profile.setNick(' Ana \u202e', never);
    expect(published.map((one) => attr(child(one, 'publish'), 'node'))).toEqual([
      ...[NS_AVATAR_DATA, NS_AVATAR_METADATA, NS_NICK],
    ]);
    expect(published.every((one) => one.toString().includes('<value>presence</value>'))).toBe(true);
    expect(storage.account.nick).toBe('Ana');
    expect(image(client.jid)).toEqual(Uint8Array.of(7, ...FACE));
    await profile.setPicture(null, never);
    expect(image(client.jid)).toBeUndefined();
    await expect(profile.setPicture(new Uint8Array(), never)).rejects.toMatchObject({ code: 'bad-input' });
    await expect(profile.setNick('ben@b.test', never)).rejects.toMatchObject({ code: 'bad-input' });
  });

  test('that another computer of ours changed is taken over', async () => {
    const { client, storage, image, showFace, call } = await setUp();
    storage.account.put({ jid: client.jid, password: 'secret', server: null, ca: null });
    await showFace(client.jid, OTHER);
    await call(client.jid, 'Ana');
    expect(image(client.jid)).toBeDefined();
    expect(storage.account.nick).toBe('Ana');
    storage.account.put({ jid: client.jid, password: 'another', server: null, ca: null });
    expect(storage.account.nick).toBe('Ana');
  });
});
