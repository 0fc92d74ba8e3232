import { expect, test } from 'vitest';
import { fakeMember, fakeMessage, fakeSphere } from '../../../test/fixtures/fake-views.ts';
import type { MessageView } from '../../contract/views.ts';
import type { Conversation } from '../stores/messages.ts';
import { endingFirst, mergedMessages } from './merged-messages.ts';

const [talk, sphere] = [fakeSphere('talk'), fakeSphere('Ben')];
const ben = fakeMember('ben@example.org', 'Ben');
const say = (text: string, atMs: number): MessageView => fakeMessage(talk, ben, text, { atMs });
const share = (text: string, atMs: number, more: Partial<MessageView> = {}): MessageView =>
  fakeMessage(sphere, ben, text, { atMs, kind: 'item', ...more });
const conversation = (messages: MessageView[], more: Partial<Conversation> = {}): Conversation => ({
  ...{ messages, state: 'ready', complete: true, around: null },
  ...more,
});
const texts = (messages: readonly MessageView[]): string[] => messages.map(({ text }) => text);

test('what was said and what was shared stand in the order of time, and what rooms tell stays away', () => {
  const said = conversation([say('a', 10), say('b', 30)]);
  const shared = conversation([share('joined', 5, { kind: 'notice' }), share('film', 20), share('photo', 40)]);
  expect(texts(mergedMessages(said, [shared]))).toEqual(['a', 'film', 'b', 'photo']);
  expect(texts(mergedMessages(said, []))).toEqual(['a', 'b']);
});

test('further back than everything that is loaded reaches nothing is shown, for something may be missing', () => {
  const said = conversation([say('a', 10), say('b', 30)]);
  const shared = conversation([share('film', 20), share('photo', 40)], { complete: false });
  expect(texts(mergedMessages(said, [shared]))).toEqual(['film', 'b', 'photo']);
  expect(endingFirst([said, shared])).toEqual([shared]);
  expect(endingFirst([said, conversation([], { complete: false })])).toEqual([]);
});

test('whoever reads far back sees no newer shares behind a gap', () => {
  const [early, late] = [say('a', 10), say('b', 30)];
  const said = conversation([early, late], { around: early.id });
  expect(texts(mergedMessages(said, [conversation([share('film', 20), share('new', 99)])]))).toEqual([
    'a',
    'film',
    'b',
  ]);
});
