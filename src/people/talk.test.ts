import { describe, expect, onTestFinished, test } from 'vitest';
import { RosterPort } from '../../test/fixtures/roster-port.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { parseBareJid, parsePersonId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import type { IncomingMessage, LineMarks } from '../spheres/incoming-message.ts';
import { Contacts } from './contacts.ts';
import { Talk } from './talk.ts';

const BEN = parseBareJid('ben@b.test');
const ANA = parseBareJid('ana@a.test');
const [ANAS, BENS] = [parsePersonId('a'.repeat(64)), parsePersonId('b'.repeat(64))];

function setUp() {
  const folder = new StorageFolder();
  const storage = folder.open();
  const client = new RosterPort();
  const spawn = (): void => undefined;
  const machine = { clock: systemClock, random: systemRandom, log: silentLogger };
  const contacts = new Contacts({ ...machine, client, storage, sharesSphere: () => false, spawn });
  const talk = new Talk({
    ...machine,
    storage,
    contacts,
    own: client.jid,
    person: ANAS,
    personBehind: (jid, key) => (jid === BEN && key[0] === 7 ? BENS : null),
    onError: (error) => expect.fail(String(error)),
  });
  const changes: string[] = [];
  talk.onChange.on(({ id }) => changes.push(storage.directMessages.get(id)?.text ?? 'gone'));
  onTestFinished(() => {
    contacts[Symbol.dispose]();
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  return { storage, contacts, talk, changes };
}

const message = (more: Partial<IncomingMessage>): IncomingMessage => ({
  ...{
    room: null,
    from: BEN,
    peer: BEN,
    id: 'm1',
    archiveId: null,
    omemo: null,
    sealed: null,
    body: null,
    atMs: 5,
  },
  ...more,
});
/** Nothing beside the text. */
const PLAIN: LineMarks = {
  ...{ receipt: null, isLive: true, isMarkable: false, corrects: null, retracts: null },
  ...{ answers: null, isSigns: false, quote: null },
};
const line = (text: string) => ({ text, state: 'received', encrypted: true, identityKey: null }) as const;

describe('a line', () => {
  test('stands once, however often and on which way it comes', () => {
    const { storage, talk, changes } = setUp();
    talk.keep(message({}), line('hi'))();
    talk.keep(message({ archiveId: 'a7', atMs: 9 }), line('hi'))();
    talk.keep(message({ id: 'm2' }), line('hi'))();
    expect(storage.directMessages.newest(BEN, 9).map(({ text, stanzaId }) => [text, stanzaId])).toEqual([
      ['hi', 'm1'],
      ['hi', 'm2'],
    ]);
    expect(changes).toEqual(['hi', 'hi']);
  });

  test('that its author tried again after it had come back stands once', () => {
    const { storage, talk } = setUp();
    const id = 'a1'.repeat(32);
    talk.keep(message({ id, from: ANA, peer: BEN }), line('hi'))();
    talk.keep(message({ id: `${id}.${'b2'.repeat(8)}`, from: ANA, peer: BEN }), line('hi'))();
    expect(storage.directMessages.newest(BEN, 9)).toHaveLength(1);
  });

  test('that its author tried again is spoken of by its last id: it is taken back, and told to have come', () => {
    const { storage, talk } = setUp();
    const id = 'a1'.repeat(32);
    const again = `${id}.${'b2'.repeat(8)}`;
    const heard: string[] = [];
    talk.onHeard.on((told) => heard.push(told.id));
    for (const one of [id, again, again])
      talk.keep(message({ id: one, marks: { ...PLAIN, receipt: one } }), line('hi'))();
    expect(heard).toEqual([id, again]);
    const about = { ...PLAIN, retracts: again };
    talk.keep(message({ id: 'm2', marks: about }), line('/me retracted a previous message'))();
    expect(storage.directMessages.newest(BEN, 9)).toMatchObject([{ text: '', change: 'retracted' }]);
  });

  test('that we wrote on another device is ours, makes nobody a stranger and is read', () => {
    const { storage, contacts, talk } = setUp();
    talk.keep(message({ from: ANA, peer: BEN }), line('from the phone'))();
    expect(storage.directMessages.newest(BEN, 1)).toMatchObject([
      { mine: true, state: 'sent', text: 'from the phone' },
    ]);
    expect(contacts.get(BEN)).toMatchObject({ standing: 'met' });
    expect(storage.directMessages.countUnread(BEN, contacts.get(BEN)?.readPosition ?? 0)).toBe(0);
  });

  test('that we wrote on another device before theirs came, and is told late, has read none of theirs', () => {
    const { storage, contacts, talk } = setUp();
    const unread = (): number => storage.directMessages.countUnread(BEN, contacts.get(BEN)?.readPosition ?? 0);
    talk.keep(message({ id: 'b1', atMs: 20 }), line('are you there?'))();
    talk.keep(message({ id: 't1', from: ANA, peer: BEN, atMs: 10 }), line('good night'))();
    expect(unread()).toBe(1);
    talk.keep(message({ id: 't2', from: ANA, peer: BEN, atMs: 30 }), line('yes'))();
    expect(unread()).toBe(0);
  });

  test('that cannot be read is shown as such', () => {
    const { storage, talk } = setUp();
    talk.keep(message({}), { text: '', state: 'undecryptable', encrypted: true, identityKey: null })();
    expect(storage.directMessages.newest(BEN, 1)).toMatchObject([{ state: 'undecryptable' }]);
  });
});

test('a line tells whose certified device it came from, and of whom nothing is certain', () => {
  const { storage, talk } = setUp();
  talk.say(BEN, 'mine');
  talk.keep(message({ id: 'm1' }), { ...line('hers'), identityKey: Uint8Array.of(7) })();
  talk.keep(message({ id: 'm2' }), { ...line('of another device'), identityKey: Uint8Array.of(8) })();
  talk.keep(message({ id: 'm3' }), { ...line('plain'), encrypted: false })();
  expect(storage.directMessages.newest(BEN, 9).map(({ person }) => person)).toEqual([ANAS, BENS, null, null]);
});

describe('what a stranger writes', () => {
  test('waits in a request, is bounded, and becomes a conversation when we answer', () => {
    const { storage, contacts, talk } = setUp();
    for (let index = 0; index < 100; index += 1) talk.keep(message({ id: `m${index}` }), line('x'.repeat(5000)))();
    expect(contacts.get(BEN)).toMatchObject({ standing: 'request' });
    const kept = storage.directMessages.newest(BEN, 100);
    expect(kept.map(({ text }) => text.length)).toEqual(Array.from({ length: 20 }, () => 1000));
    talk.say(BEN, 'Hello');
    expect(contacts.get(BEN)).toMatchObject({ standing: 'met' });
  });

  test('is not looked at when too many others wait, and never when they are blocked', () => {
    const { storage, contacts, talk } = setUp();
    for (let index = 0; index < 20; index += 1) contacts.meet(parseBareJid(`s${index}@s${index}.test`), false);
    expect(talk.admits(message({}))).toBe(false);
    expect(talk.admits(message({ from: ANA }))).toBe(true);
    contacts.meet(BEN, true);
    expect(talk.admits(message({}))).toBe(true);
    storage.blocked.add(BEN);
    expect(talk.admits(message({}))).toBe(false);
    expect(() => talk.say(BEN, 'Hello')).toThrow('this person is blocked');
  });
});

test('to somebody who is blocked nothing is said, and no line of ours is changed, signed or taken back', () => {
  const { storage, talk } = setUp();
  const { id } = talk.say(BEN, 'Hello');
  storage.blocked.add(BEN);
  const ways = [() => talk.edit(id, 'x'), () => talk.react(id, ['👍']), () => talk.retract(id)];
  for (const way of [() => talk.say(BEN, 'x'), ...ways]) expect(way).toThrow('this person is blocked');
  expect(storage.directMessages.get(id)).toMatchObject({ text: 'Hello', change: 'none', signs: null });
  expect(storage.talkWords.list()).toEqual([]);
});

test('a line of ours that failed is sent again or forgotten', () => {
  const { storage, talk } = setUp();
  const said = talk.say(BEN, 'once');
  const { id } = said;
  talk.settle(said, { state: 'failed', failure: 'cannot-encrypt' });
  expect(storage.directMessages.get(id)).toMatchObject({ state: 'failed', failure: 'cannot-encrypt' });
  talk.retry(id);
  expect(storage.directMessages.queued().map(({ text }) => text)).toEqual(['once']);
  const [again] = storage.directMessages.queued();
  expect(again?.stanzaId).not.toBe(said.stanzaId);
  talk.settle(said, { state: 'sent', failure: null });
  expect(storage.directMessages.get(id)?.state).toBe('queued');
  talk.settle(again ?? said, { state: 'failed', failure: 'cannot-encrypt' });
  talk.remove(id);
  expect(storage.directMessages.get(id)).toBeUndefined();
});
