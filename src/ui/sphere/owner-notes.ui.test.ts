import { expect, test } from 'vitest';
import { fakeMember, fakeSphere, ME } from '../../../test/fixtures/fake-views.ts';
import type { SphereView } from '../../contract/views.ts';
import { parseBareJid, parseSphereId } from '../../base/id.ts';
import { createTranslations } from '../i18n/create-translations.ts';
import { ownerNotes } from './owner-notes.ts';

const ben = parseBareJid('ben@example.org');
const members = (owner: 'me' | 'ben') => [
  fakeMember(ME, 'Anna', { isMe: true, role: owner === 'me' ? 'owner' : 'admin', state: 'joined' }),
  fakeMember(ben, 'Ben', { role: owner === 'ben' ? 'owner' : 'admin', state: 'joined' }),
];
const candidate = { jid: ben, name: 'Ben', voters: ['Ben', 'Carl'], needed: 2, atMs: null };

function notes(sphere: SphereView, locale: 'en' | 'fr' = 'en') {
  const { t } = createTranslations(locale).global;
  const list = (names: readonly string[]) => names.join(' + ');
  return ownerNotes(sphere, { t: (key, params) => t(key, params ?? {}), list, day: (atMs) => `day ${atMs}` });
}

test('a sphere with nothing to say of its owner has no note', () => {
  expect(notes(fakeSphere('Summer', { members: members('me') }))).toEqual([]);
});

test('whoever is offered a sphere reads by whom and can take it over; its owner can keep it; others read nothing', () => {
  const mine = { members: members('me'), myRole: 'owner' as const };
  expect(notes(fakeSphere('Summer', { members: members('ben'), myRole: 'admin', offeredTo: ME }))).toEqual([
    {
      key: 'offer',
      text: expect.stringMatching(/^Ben wants to hand this sphere over to you/),
      action: { label: 'Take it over', step: { kind: 'accept' } },
    },
  ]);
  expect(notes(fakeSphere('Summer', { ...mine, offeredTo: ben }))).toMatchObject([
    { text: expect.stringContaining('to Ben.'), action: { step: { kind: 'offer', jid: null } } },
  ]);
  expect(notes(fakeSphere('Summer', { ...mine, myRole: 'member', offeredTo: ben }))).toEqual([]);
});

test('a successor is shown with who wants them, and from when it holds; only the owner can object', () => {
  const settled = { ...candidate, atMs: 7 };
  const seen = (myRole: 'owner' | 'admin', one: typeof candidate | typeof settled) =>
    notes(fakeSphere('Summer', { members: members('me'), myRole, candidates: [one] }));
  const [proposed] = seen('admin', candidate);
  expect(proposed?.text).toContain('Ben + Carl want this sphere to go to: Ben. 2 organisers');
  expect(proposed?.action).toBeUndefined();
  const [held] = seen('owner', settled);
  expect(held?.text).toContain('It takes effect on day 7.');
  expect(held?.action).toEqual({ label: 'I am still here', step: { kind: 'object' } });
});

test('whoever lost a sphere because they seemed to be gone can say so, in both languages, whatever they are in it now', () => {
  const taken = fakeSphere('Summer', { members: members('ben'), myRole: 'member', state: 'removed', mayObject: true });
  const action = { label: 'I am still here', step: { kind: 'object' } };
  expect(notes(taken)).toEqual([{ key: 'taken', text: expect.stringContaining('from you to: Ben.'), action }]);
  expect(notes(taken, 'fr')).toMatchObject([{ text: expect.stringContaining('Ben'), action: { step: action.step } }]);
});

test('who decides in a sphere that somebody moved who was removed since reads where it is, in both languages', () => {
  const moved = fakeSphere('Summer', { members: members('me'), movedBy: { name: 'Carl', server: 'rooms.carl.test' } });
  const text = expect.stringMatching(/Carl.*rooms\.carl\.test/);
  expect(notes(moved)).toEqual([{ key: 'mover', text }]);
  expect(notes(moved, 'fr')).toEqual([{ key: 'mover', text }]);
});

test('where a sphere goes on is a link as soon as one is there, and words in both languages before', () => {
  const sphereId = parseSphereId('a'.repeat(64));
  const [there] = notes(fakeSphere('Summer', { continued: { sphereId, by: 'Ben' } }));
  expect(there?.to).toEqual({ name: 'sphere', params: { sphereId } });
  const invited = fakeSphere('Summer', { continued: { sphereId: null, by: 'Ben' } });
  expect(notes(invited)).toEqual([{ key: 'continued', text: expect.stringContaining('Accept the invitation') }]);
  expect(notes(invited, 'fr')).toEqual([{ key: 'continued', text: expect.stringContaining('Ben') }]);
});
