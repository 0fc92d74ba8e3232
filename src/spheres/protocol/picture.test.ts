import { expect, test } from 'vitest';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { NO_REAL_PICTURE } from '../../../test/fixtures/protocol/picture-vectors.ts';
import { admit, foundWorld } from '../../../test/fixtures/protocol/sphere-world.ts';
import { concatBytes, toUtf8 } from '../../base/bytes.ts';
import { checkAttachments } from './check-attachments.ts';
import { attachment } from './envelope.ts';
import type { EventInput } from './event-body.ts';
import { MAX_PICTURE_BYTES } from './event-body.ts';
import type { SignedEvent } from './event.ts';
import { buildAnyEvent, parseEvent } from './event.ts';
import { sha256Hex } from './keys.ts';

const JPEG = concatBytes(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), toUtf8('none either'));
const bodyOf = (bytes: Uint8Array): EventInput<'picture'> => ({ sha256: sha256Hex(bytes), bytes: bytes.length });
const NONE = { sha256: null, bytes: 0 };

/** A sphere with an admin, a member and a viewer. */
function family() {
  const { owner } = foundWorld();
  const [admin, member, viewer] = (['admin', 'member', 'viewer'] as const).map((role, index) =>
    admit(owner, createPerson(`${role} ${index}`.replace(' ', '-')), role),
  );
  if (admin === undefined || member === undefined || viewer === undefined) throw new Error('nobody came');
  for (const one of [admin, member, viewer]) one.receive(owner);
  return { owner, admin, member, viewer };
}

test('owner and admins give a sphere its picture and take it away, nobody else does', () => {
  const { owner, admin, member, viewer } = family();
  const wrong = [member, viewer].map((one) => one.write('picture', bodyOf(JPEG)));
  const right = admin.write('picture', bodyOf(NO_REAL_PICTURE));
  owner.receive(admin, member, viewer);
  expect(wrong.map(({ id }) => owner.log.verdict(id))).toEqual([
    { kind: 'refused', reason: 'not-allowed' },
    { kind: 'refused', reason: 'not-allowed' },
  ]);
  expect(owner.log.picture?.id).toBe(right.id);
  owner.write('picture', NONE);
  expect(owner.log.picture).toBeNull();
});

test('of two pictures given at the same time all members see the same one, whatever came first', () => {
  const { owner, admin, member, viewer } = family();
  const pictures = [owner.write('picture', bodyOf(JPEG)), admin.write('picture', bodyOf(NO_REAL_PICTURE))];
  member.receive(owner);
  member.receive(admin);
  viewer.receive(admin);
  viewer.receive(owner);
  const seen = [member, viewer].map(({ log }) => log.picture?.id);
  expect(seen[0]).toBe(seen[1]);
  // As with names: the last one in canonical order.
  expect(seen[0]).toBe(member.log.events().findLast(({ type }) => type === 'picture')?.id);
  expect(pictures.map(({ id }) => id)).toContain(seen[0]);
});

test('the picture of an admin who had lost that right counts no more, and the one before is there again', () => {
  const { owner, admin } = family();
  const before = owner.write('picture', bodyOf(JPEG));
  admin.receive(owner);
  admin.write('picture', bodyOf(NO_REAL_PICTURE));
  owner.setRole(admin.who.jid, 'member');
  owner.receive(admin);
  expect(owner.log.picture?.id).toBe(before.id);
});

test('a picture that is longer than allowed, or that has a length without being there, is malformed', () => {
  const { owner } = family();
  const wrong = [
    { sha256: sha256Hex(JPEG), bytes: MAX_PICTURE_BYTES + 1 },
    { sha256: sha256Hex(JPEG), bytes: 0 },
    { sha256: null, bytes: 3 },
    { sha256: 'x', bytes: 3 },
  ];
  for (const body of wrong) {
    const event = buildAnyEvent(owner.who.author, owner.log.nextHeader(owner.who.author.device.id, 0), 'picture', body);
    owner.log.add(event);
    expect(owner.log.verdict(event.id)).toEqual({ kind: 'refused', reason: 'malformed' });
  }
  expect(owner.log.picture).toBeNull();
});

test('beside the event only the very bytes that were signed are taken', () => {
  const { owner } = family();
  const event = owner.write('picture', bodyOf(NO_REAL_PICTURE)) as SignedEvent;
  const right = attachment('picture', NO_REAL_PICTURE);
  const wrong = [JPEG, NO_REAL_PICTURE.subarray(1), new Uint8Array()].map((bytes) => attachment('picture', bytes));
  expect(checkAttachments(event, [right, ...wrong])).toEqual({ accepted: [right], refused: wrong, unchecked: [] });
  const elsewhere = owner.write('rename', { name: 'Winter' }) as SignedEvent;
  expect(checkAttachments(elsewhere, [right]).refused).toEqual([right]);
  const none = owner.write('picture', NONE) as SignedEvent;
  expect(checkAttachments(none, [attachment('picture', new Uint8Array())]).accepted).toEqual([]);
});

test.each([
  '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
  '<!doctype html><script>alert(1)</script>',
  'GIF89a',
  'RIFF\0\0\0\0AVI LIST',
])('what is neither WebP nor JPEG is no picture, though its author signed it: %s', (text) => {
  const { owner } = family();
  const bytes = toUtf8(text);
  const event = owner.write('picture', bodyOf(bytes)) as SignedEvent;
  const one = attachment('picture', bytes);
  expect(checkAttachments(event, [one])).toEqual({ accepted: [], refused: [one], unchecked: [] });
});

test('a picture that somebody else signed in the name of the owner is refused', () => {
  const { owner, member } = family();
  const forged = member.write('picture', bodyOf(JPEG)) as SignedEvent;
  const genuine = owner.write('picture', bodyOf(JPEG)) as SignedEvent;
  expect(() => parseEvent(genuine.bytes, forged.signature)).toThrow(expect.objectContaining({ code: 'forged' }));
});
