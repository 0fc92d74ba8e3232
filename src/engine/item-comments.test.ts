import { expect, test } from 'vitest';
import { sharedFilm } from '../../test/sim/received-item.ts';
import { parseItemId } from '../base/id.ts';
import { itemComments } from './item-comments.ts';
import { viewMessage } from './message-view.ts';

test('what is said about an item stands with it at everybody, and in the chat as an answer to it', async () => {
  const { ana, ben, itemId, world } = await sharedFilm();
  const at = ({ session }: typeof ana) => itemComments(session.storage, session.sphere(), itemId);
  expect(at(ben)).toEqual({ lineId: itemId, rows: [] });
  const { lineId } = at(ben);
  const answered = ben.session.messages.say(ben.session.sphere().id, 'What a wave!', { replyTo: lineId });
  ben.session.messages.say(ben.session.sphere().id, 'Something else');
  await world.quiet();
  ana.session.messages.say(ana.session.sphere().id, 'Look at minute two', { replyTo: at(ana).lineId });
  await world.quiet();
  for (const person of [ana, ben]) {
    expect(at(person).rows.map(({ text }) => text)).toEqual(['What a wave!', 'Look at minute two']);
  }
  const row = ana.session.storage.messages.get(answered);
  expect(row && viewMessage(ana.session, row).replyTo).toMatchObject({ id: itemId, kind: 'item', fromName: 'Ana' });
});

test('an item that nobody has shared has no comments', async () => {
  const { ana } = await sharedFilm();
  const { storage } = ana.session;
  const unknown = parseItemId('7'.repeat(64));
  expect(() => itemComments(storage, ana.session.sphere(), unknown)).toThrow(/no such item/);
});

test('of very many comments no more than the newest are read', async () => {
  const { ana, itemId, world } = await sharedFilm();
  const { session } = ana;
  const { id } = session.sphere();
  const { lineId } = itemComments(session.storage, session.sphere(), itemId);
  for (const text of ['one', 'two', 'three']) session.messages.say(id, text, { replyTo: lineId });
  await world.quiet();
  expect(session.storage.messages.repliesTo(lineId, 2).map(({ text }) => text)).toEqual(['two', 'three']);
});
