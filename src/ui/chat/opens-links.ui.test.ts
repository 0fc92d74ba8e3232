import { expect, test } from 'vitest';
import { fakeMember, fakeMessage, fakeSphere, ME } from '../../../test/fixtures/fake-views.ts';
import { opensLinks, verifiedPeople } from './opens-links.ts';

const anna = fakeMember(ME, 'Anna');
const ben = fakeMember('ben@example.org', 'Ben', { identity: 'verified' });
const eve = fakeMember('eve@example.org', 'Eve', { identity: 'introduced' });
const sea = fakeSphere('Sea', { members: [anna, ben, eve] });
const verified = verifiedPeople([fakeSphere('Alone'), sea]);

test('links open only of people whose number was compared, and of oneself', () => {
  const opens = [anna, ben, eve].map((from) => opensLinks(fakeMessage(sea, from, 'https://example.org'), verified));
  expect(opens).toEqual([true, true, false]);
});

test('links of lines without anybody’s key are plain text, even under an address that was verified or is our own', () => {
  const opens = [anna, ben].map((from) =>
    opensLinks(fakeMessage(sea, from, 'https://x.org', { person: null }), verified),
  );
  expect(opens).toEqual([false, false]);
});

test('links of somebody else under the address of a verified person are plain text', () => {
  const impostor = fakeMessage(sea, { ...ben, person: eve.person }, 'https://example.org');
  expect(opensLinks(impostor, verified)).toBe(false);
});
