import { expect, onTestFinished, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { attr, child, childText, type Element, xml } from '../xmpp/element.ts';
import { DirectMail } from './direct-mail.ts';

const NS_MAM = 'urn:xmpp:mam:2';
const NS_OMEMO = 'eu.siacs.conversations.axolotl';
const NS_RSM = 'http://jabber.org/protocol/rsm';

/** Our account's archive with these ids, each a message of ben; what is not in it any more it does not know. */
class Archive extends FakeXmppPort {
  ids: readonly string[];
  messageOf: (id: string) => Element = messageOfBen;
  #collect: (stanza: Element) => void = () => undefined;

  constructor(ids: readonly string[]) {
    super((payload) => this.#page(payload));
    this.ids = ids;
  }

  override openArchiveQuery(_archive?: string, _id?: string, onResult?: (stanza: Element) => void): Disposable {
    this.#collect = onResult ?? this.#collect;
    return { [Symbol.dispose]: () => undefined };
  }

  #page(query: Element): Element {
    const set = child(query, 'set', NS_RSM);
    const after = childText(set, 'after');
    if (after !== undefined && !this.ids.includes(after)) throw new AppError('not-found', 'no such entry');
    const isNewest = child(set, 'before') !== undefined;
    const found = isNewest ? this.ids.slice(-1) : this.ids.slice(after === undefined ? 0 : this.ids.indexOf(after) + 1);
    for (const id of found) this.#collect(entry(id, attr(query, 'queryid'), this.messageOf(id)));
    const last = found.at(-1);
    const rsm = xml('set', { xmlns: NS_RSM }, last === undefined ? undefined : xml('last', {}, last));
    return xml('iq', { type: 'result' }, xml('fin', { xmlns: NS_MAM, complete: 'true' }, rsm));
  }
}

function messageOfBen(id: string): Element {
  const attrs = { xmlns: 'jabber:client', type: 'chat', from: 'ben@b.test/phone' };
  return xml('message', attrs, xml('body', {}, id));
}

function entry(id: string, queryId: string | undefined, message: Element): Element {
  const forwarded = xml('forwarded', { xmlns: 'urn:xmpp:forward:0' }, message);
  return xml('message', {}, xml('result', { xmlns: NS_MAM, id, queryid: queryId }, forwarded));
}

function mailOver(client: Archive) {
  const folder = new StorageFolder();
  const storage = folder.open();
  const read: (string | null)[] = [];
  const own: string[] = [];
  const disk = { isFull: false };
  const mail = new DirectMail({
    client,
    own: client.jid,
    storage,
    receive: async ({ body }) => {
      if (disk.isFull) throw new AppError('disk-full', 'no room');
      read.push(body);
    },
    onOwn: async ({ to, id }) => void own.push(`${id} to ${to}`),
    onNote: () => undefined,
    bounced: () => undefined,
    hasArchive: () => true,
    signal: new AbortController().signal,
    clock: systemClock,
    log: silentLogger,
  });
  onTestFinished(() => {
    mail[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  return { mail, read, own, disk };
}

test('the talk of years before this device was there is not read', async () => {
  const archive = new Archive(['1', '2', '3']);
  const { mail, read } = mailOver(archive);
  await mail.begin();
  archive.ids = ['1', '2', '3', '4'];
  await mail.catchUp();
  expect(read).toEqual(['4']);
});

test('what came into an empty archive after the first session is read in the next one', async () => {
  const archive = new Archive([]);
  const { mail, read } = mailOver(archive);
  await mail.begin();
  await mail.catchUp();
  archive.ids = ['1'];
  await mail.begin();
  await mail.catchUp();
  expect(read).toEqual(['1']);
});

test('what the archive holds of ours is told as such, and read for what another device said', async () => {
  const archive = new Archive([]);
  const { mail, read, own } = mailOver(archive);
  const header = xml('header', { sid: '1' }, xml('iv', {}, 'AAAAAAAAAAAAAAAA'));
  const attrs = { xmlns: 'jabber:client', type: 'chat', from: `${archive.jid}/here`, to: 'ben@b.test', id: 'mine' };
  archive.ids = ['1'];
  archive.messageOf = () => xml('message', attrs, xml('encrypted', { xmlns: NS_OMEMO }, header));
  await mail.catchUp();
  expect(own).toEqual(['mine to ben@b.test']);
  expect(read).toEqual([null]);
});

const NS_CARBONS = 'urn:xmpp:carbons:2';

function carbon(from: string, inner: { readonly from: string; readonly to: string }, text: string): Element {
  const message = xml('message', { xmlns: 'jabber:client', type: 'chat', ...inner }, xml('body', {}, text));
  const forwarded = xml('forwarded', { xmlns: 'urn:xmpp:forward:0' }, message);
  const direction = inner.from.startsWith('ana@') ? 'sent' : 'received';
  return xml('message', { xmlns: 'jabber:client', from }, xml(direction, { xmlns: NS_CARBONS }, forwarded));
}

test('what our other devices say and get is read here too, and nothing that a stranger copies to us', async () => {
  const client = new Archive([]);
  const { read } = mailOver(client);
  const [ana, ben] = ['ana@a.test/phone', 'ben@b.test/desk'];
  client.onStanza.emit(carbon('eve@b.test', { from: ben, to: ana }, 'forged'));
  client.onStanza.emit(carbon('ana@a.test/other', { from: ben, to: ana }, 'forged by a device'));
  client.onStanza.emit(carbon('ana@a.test', { from: ben, to: 'eve@b.test' }, 'not ours'));
  client.onStanza.emit(carbon('ana@a.test', { from: ben, to: ana }, 'received'));
  client.onStanza.emit(carbon('ana@a.test', { from: ana, to: ben }, 'sent'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(read).toEqual(['received', 'sent']);
});

test('what an occupant of a room whispers is no word of an account', async () => {
  const client = new Archive([]);
  const { read } = mailOver(client);
  const user = xml('x', { xmlns: 'http://jabber.org/protocol/muc#user' });
  client.onStanza.emit(xml('message', { type: 'chat', from: 'room@rooms.a.test/ben' }, xml('body', {}, 'psst'), user));
  await new Promise((resolve) => setImmediate(resolve));
  expect(read).toEqual([]);
});

test('what comes while the disk is full is told to be missed, and the archive gives it again', async () => {
  const client = new Archive([]);
  const { mail, read, disk } = mailOver(client);
  let missed = 0;
  mail.onMissed.on(() => void (missed += 1));
  await mail.begin();
  disk.isFull = true;
  client.ids = ['1'];
  client.onStanza.emit(messageOfBen('1'));
  await new Promise((resolve) => setImmediate(resolve));
  expect([missed, read]).toEqual([1, []]);
  disk.isFull = false;
  await mail.catchUp();
  expect(read).toEqual(['1']);
});

test('an archive that has forgotten where we stopped keeps nobody from signing in', async () => {
  const archive = new Archive(['1', '2']);
  const { mail, read } = mailOver(archive);
  await mail.begin();
  archive.ids = ['7', '8'];
  await mail.catchUp();
  archive.ids = ['7', '8', '9'];
  await mail.catchUp();
  expect(read).toEqual(['7', '8', '9']);
});
