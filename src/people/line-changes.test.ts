import { describe, expect, test } from 'vitest';
import {
  ANA,
  BEN,
  BENS,
  carbon,
  fromAna,
  fromBen,
  SEALED,
  SEALED_BY_NOBODY,
  talkOfAna,
} from '../../test/fixtures/talk-of-ana.ts';
import type { EventId } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import { type Element, xml } from '../xmpp/element.ts';
import { signsMark } from '../xmpp/signs.ts';
import { correctionOf } from '../xmpp/xep/0308-correction.ts';
import { retractionOf } from '../xmpp/xep/0424-retraction.ts';
import { fallbackFor } from '../xmpp/xep/0428-fallback.ts';
import { NS_REPLY, replyTo } from '../xmpp/xep/0461-replies.ts';

const clear = (id: string, ...signs: readonly string[]): Element =>
  xml('reactions', { xmlns: 'urn:xmpp:reactions:0', id }, ...signs.map((sign) => xml('reaction', {}, sign)));
const quoting = (end: number): Element => fallbackFor(NS_REPLY, { start: 0, end });

const GONE = '/me retracted a previous message.';

function setUp() {
  const all = talkOfAna();
  all.know('contact', 'both');
  const shown = (): string[] =>
    all.lines().map(({ text, change }) => (change === 'none' ? text : `${text} (${change})`));
  return { ...all, shown };
}

describe('their line', () => {
  test('gets other words from its author, and stays one line', async () => {
    const { hear, shown } = setUp();
    await hear(fromBen('b1', `${SEALED}helo`));
    await hear(fromBen('b2', `${SEALED}hello`, correctionOf('b1')));
    expect(shown()).toEqual(['hello (edited)']);
  });

  test('is neither changed nor taken away by a device that nobody certified: what that says stands beside it', async () => {
    const { hear, shown, lines } = setUp();
    await hear(fromBen('b1', `${SEALED}helo`));
    await hear(fromBen('b2', `${SEALED}hello`, correctionOf('b1')));
    await hear(fromBen('b3', `${SEALED_BY_NOBODY}see https://evil.test`, correctionOf('b1')));
    await hear(fromBen('b4', `${SEALED_BY_NOBODY}${GONE}`, retractionOf('b1')));
    expect(shown()).toEqual(['hello (edited)', 'see https://evil.test', GONE]);
    expect(lines().map(({ person }) => person)).toEqual([BENS, null, null]);
  });

  test('of nobody certified is changed and taken away by whoever has the account', async () => {
    const { hear, shown } = setUp();
    await hear(fromBen('b1', `${SEALED_BY_NOBODY}helo`));
    await hear(fromBen('b2', `${SEALED_BY_NOBODY}hello`, correctionOf('b1')));
    expect(shown()).toEqual(['hello (edited)']);
    await hear(fromBen('b3', `${SEALED}${GONE}`, retractionOf('b1')));
    expect(shown()).toEqual([' (retracted)']);
  });

  test('is changed by nobody else: not by us, not by a stranger, not by an older word that comes late', async () => {
    const { hear, shown, talk, lines, clock } = setUp();
    await hear(fromBen('b1', `${SEALED}pay Ben`));
    await hear(carbon('sent', fromAna('t1', `${SEALED}mine`, correctionOf('b1'))));
    const eve = fromBen('e1', `${SEALED}pay Eve`, correctionOf('b1'));
    eve.attrs['from'] = 'eve@evil.test/x';
    await hear(eve);
    expect(shown()).toEqual(['pay Ben', 'mine']);
    expect(() => talk.edit(lines()[0]?.id as EventId, 'x')).toThrow('somebody else wrote this line');
    expect(() => talk.retract(lines()[0]?.id as EventId)).toThrow('somebody else wrote this line');
    await clock.advance(1000);
    await hear(fromBen('b2', `${SEALED}pay me`, correctionOf('b1')));
    await clock.advance(1000);
    await hear(fromBen('b3', `${SEALED}${GONE}`, retractionOf('t1')));
    expect(shown()).toEqual(['pay me (edited)', 'mine']);
  });

  test('that was encrypted is changed and taken away by encrypted words alone', async () => {
    const { hear, shown } = setUp();
    await hear(fromBen('b1', `${SEALED}meet at noon`));
    await hear(fromBen('s1', 'meet at midnight', correctionOf('b1')));
    await hear(fromBen('s2', 'taken back', retractionOf('b1')));
    await hear(fromBen('s3', null, retractionOf('b1')));
    expect(shown()).toEqual(['meet at noon', 'meet at midnight', 'taken back']);
    await hear(fromBen('b2', `${SEALED}${GONE}`, retractionOf('b1')));
    expect(shown()[0]).toBe(' (retracted)');
  });

  test('that was taken away comes back by no later word, and what takes away an unknown one is no line', async () => {
    const { hear, shown, lines, storage } = setUp();
    await hear(fromBen('b1', `${SEALED}secret`));
    await hear(fromBen('b2', `${SEALED}${GONE}`, retractionOf('b1')));
    await hear(fromBen('b3', `${SEALED}again`, correctionOf('b1')));
    await hear(fromBen('b4', null, clear('b1', '👍')));
    await hear(fromBen('b5', `${SEALED}${GONE}`, retractionOf('never-came')));
    expect(shown()).toEqual([' (retracted)']);
    expect(lines()[0]?.signs).toBeNull();
    expect(storage.directMessages.countUnread(BEN, 0)).toBe(1);
  });

  test('that comes after it was taken back is gone, unless somebody else took it back', async () => {
    const { hear, shown } = setUp();
    await hear(fromBen('x1', `${SEALED}${GONE}`, retractionOf('b1')));
    await hear(fromBen('x2', `${SEALED_BY_NOBODY}${GONE}`, retractionOf('b2')));
    await hear(fromBen('x3', GONE, retractionOf('b3')));
    await hear(carbon('sent', fromAna('x4', `${SEALED}${GONE}`, retractionOf('b4'))));
    for (const id of ['b1', 'b2', 'b3', 'b4']) await hear(fromBen(id, `${SEALED}${id}`));
    expect(shown()).toEqual([' (retracted)', 'b2', 'b3', 'b4']);
  });

  test('that is taken back from their new address before we use that one is gone once we do', async () => {
    const { hear, contacts, storage } = setUp();
    const to = parseBareJid('ben@new.test');
    await hear(fromBen('b1', `${SEALED_BY_NOBODY}gone`));
    await hear(fromBen('b2', `${SEALED_BY_NOBODY}stays`));
    contacts.meet(to, true);
    const words = fromBen('x1', `${SEALED_BY_NOBODY}${GONE}`, retractionOf('b1'));
    words.attrs['from'] = `${to}/phone`;
    await hear(words);
    await contacts.follow({ from: BEN, to }, new AbortController().signal);
    expect(storage.directMessages.newest(to, 9).map(({ text, change }) => [text, change])).toEqual([
      ['', 'retracted'],
      ['stays', 'none'],
    ]);
  });

  test('is taken away by no words that say something else, whatever a server puts beside them', async () => {
    const { hear, shown } = setUp();
    await hear(fromBen('b1', `${SEALED}do not pay`));
    await hear(fromBen('b2', `${SEALED}the weather is fine`, retractionOf('b1')));
    expect(shown()).toEqual(['do not pay', 'the weather is fine']);
  });

  test('whose replaced one is not here stands by itself', async () => {
    const { hear, shown } = setUp();
    await hear(fromBen('b2', `${SEALED}hello`, correctionOf('b1')));
    expect(shown()).toEqual(['hello']);
  });
});

describe('a line of ours', () => {
  test('is edited and taken back here at once, and waits to be told', () => {
    const { talk, shown, storage } = setUp();
    const { id } = talk.say(BEN, 'helo');
    talk.edit(id, 'hello');
    talk.edit(id, 'hello!');
    expect(shown()).toEqual(['hello! (edited)']);
    expect(storage.talkWords.list().map(({ kind }) => kind)).toEqual(['edit']);
    talk.retract(id);
    expect(shown()).toEqual([' (retracted)']);
    expect(() => talk.edit(id, 'x')).toThrow('the line was taken back');
  });

  test('is edited and taken back by another device of ours', async () => {
    const { hear, shown } = setUp();
    await hear(carbon('sent', fromAna('t1', `${SEALED}helo`)));
    await hear(carbon('sent', fromAna('t2', `${SEALED}hello`, correctionOf('t1'))));
    expect(shown()).toEqual(['hello (edited)']);
    await hear(carbon('sent', fromAna('t3', `${SEALED}${GONE}`, retractionOf('t1'))));
    expect(shown()).toEqual([' (retracted)']);
  });
});

describe('when the clocks of machines and servers differ', () => {
  test('what is changed and signed just now counts, whoever does it', async () => {
    const { hear, talk, shown, lines, clock } = setUp();
    const { id } = talk.say(BEN, 'helo');
    await hear(fromBen('b1', `${SEALED}cake`));
    await hear(fromBen('b2', `${SEALED}cake?`, correctionOf('b1')));
    await hear(fromBen('b3', null, clear(id, '🎉')));
    talk.edit(id, 'hello');
    talk.react(id, ['👍']);
    clock.turnBack(60_000);
    talk.edit(id, 'hello!');
    talk.react(id, ['❤️']);
    await hear(fromBen('b4', `${SEALED}cake!`, correctionOf('b1')));
    await hear(fromBen('b5', null, clear(id)));
    expect(shown()).toEqual(['hello! (edited)', 'cake! (edited)']);
    expect(lines()[0]?.signs).toMatchObject({ mine: ['❤️'], theirs: [] });
  });

  test('what the archive tells late takes nothing back that was done since', () => {
    const { talk, shown, storage, clock } = setUp();
    const { id } = talk.say(BEN, 'helo');
    talk.edit(id, 'hello');
    talk.react(id, ['👍']);
    const atMs = clock.now() - 1;
    const line = { text: 'hell', state: 'received', encrypted: true, identityKey: null } as const;
    const marks = { receipt: null, isLive: false, isMarkable: false, answers: null, isSigns: false, quote: null };
    const message = { room: null, from: ANA, peer: BEN, id: 't1', archiveId: 'a1', omemo: null, sealed: null };
    const about = { ...message, body: null, atMs, marks: { ...marks, corrects: id, retracts: null } };
    storage.directMessages.update(id, { person: null });
    talk.keep(about, line)();
    talk.signed({ kind: 'reactions', peer: BEN, isOurs: true, atMs, id, signs: [] }, false);
    expect(shown()).toEqual(['hello (edited)']);
    expect(storage.directMessages.get(id)?.signs?.mine).toEqual(['👍']);
  });
});

describe('an answer', () => {
  test('shows what it answers beside it, not in its text', async () => {
    const { hear, lines, talk } = setUp();
    const { id } = talk.say(BEN, 'coming?');
    await hear(fromBen('b1', `${SEALED}> coming?\nyes 👍`, replyTo({ to: 'ana@a.test', id }), quoting(10)));
    expect(lines().at(-1)).toMatchObject({ text: 'yes 👍', replyTo: id });
  });

  test('to what is not here keeps the quote, and one that is nothing but a quote keeps its words', async () => {
    const { hear, lines, talk } = setUp();
    const { id } = talk.say(BEN, 'coming?');
    await hear(fromBen('b1', `${SEALED}> old\nyes`, replyTo({ to: 'ana@a.test', id: 'gone' }), quoting(6)));
    await hear(fromBen('b2', `${SEALED}all`, replyTo({ to: 'ana@a.test', id }), quoting(99)));
    expect(lines().map(({ text }) => text)).toEqual(['coming?', '> old\nyes', 'all']);
  });
});

test('a server cannot cut out of an answer what is no quote, nor make signs of words', async () => {
  const { hear, shown, talk, lines } = setUp();
  const { id } = talk.say(BEN, 'shall I pay?');
  const reply = replyTo({ to: 'ana@a.test', id });
  await hear(fromBen('b1', `${SEALED}do not pay`, reply, quoting(7)));
  await hear(fromBen('b2', `${SEALED}> shall I\nnot now`, reply, quoting(14)));
  await hear(fromBen('b3', `${SEALED}never 👍`, reply, signsMark()));
  expect(shown()).toEqual(['shall I pay?', 'do not pay', '> shall I\nnot now', 'never 👍']);
  expect(lines()[0]?.signs).toBeNull();
});

describe('signs', () => {
  test('come encrypted from programs of our kind and in the clear from others, each time all of them', async () => {
    const { hear, lines, talk, clock, shown } = setUp();
    const { id } = talk.say(BEN, 'cake?');
    const signed = (key: string, text: string): Element =>
      fromBen(key, `${SEALED}> cake?\n${text}`, replyTo({ to: 'ana@a.test', id }), quoting(8), signsMark());
    await hear(signed('b1', '👍 ❤️'));
    expect(lines()[0]?.signs?.theirs).toEqual(['👍', '❤️']);
    await clock.advance(1000);
    await hear(fromBen('b2', null, clear(id, '🎉')));
    expect(lines()[0]?.signs?.theirs).toEqual(['🎉']);
    await clock.advance(1000);
    await hear(signed('b3', '–'));
    expect(lines()[0]?.signs?.theirs).toEqual([]);
    expect(shown()).toEqual(['cake?']);
  });

  test('of a stranger are none, nor are those that somebody puts to a line of another talk', async () => {
    const { hear, lines, talk, know } = setUp();
    const { id } = talk.say(BEN, 'cake?');
    const eve = fromBen('e1', null, clear(id, '👎'));
    eve.attrs['from'] = 'eve@evil.test/x';
    await hear(eve);
    know('request', 'none');
    await hear(fromBen('b1', null, clear(id, '👎')));
    expect(lines()[0]?.signs).toBeNull();
  });

  test('of ours are put to any line that can be read', async () => {
    const { hear, lines, talk, storage } = setUp();
    await hear(fromBen('b1', `${SEALED}cake?`));
    const [line] = lines();
    talk.react(line?.id as EventId, ['👍']);
    expect(lines()[0]?.signs).toMatchObject({ mine: ['👍'], theirs: [] });
    expect(storage.talkWords.list()).toMatchObject([{ kind: 'signs', line: line?.id }]);
  });
});
