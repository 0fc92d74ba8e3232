import { expect, test } from 'vitest';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { foundWorld } from '../../../test/fixtures/protocol/sphere-world.ts';
import { toUtf8 } from '../../base/bytes.ts';
import { isTextOf } from './check-attachments.ts';
import { buildEvent } from './event.ts';
import { sha256Hex } from './keys.ts';
import { eventsOfText, MAX_PIECE_BYTES, piecesOf, textsWith } from './long-text.ts';
import { SphereLog } from './sphere-log.ts';

const hashOf = (text: string): { textSha256: string } => ({ textSha256: sha256Hex(toUtf8(text)) });

/** A text of three events, and a log that has all but some of what was said. */
function threePieces() {
  const { owner } = foundWorld(createPerson('ana'));
  const [first, second] = ['one ', 'two '].map((text) => owner.write('part', hashOf(text)));
  const message = owner.write('message', { ...hashOf('three'), parts: 2, replyTo: null });
  if (first === undefined || second === undefined) throw new Error('two parts were written');
  const without = (...gone: readonly { readonly id: string }[]): SphereLog => {
    const log = new SphereLog({ sphereId: owner.log.sphereId, isDeviceProven: () => true });
    log.addAll(owner.log.events().filter(({ id }) => !gone.some((one) => one.id === id)));
    return log;
  };
  return { owner, first, second, message, without };
}

test('the events right before a text are its parts, and a missing one shows', () => {
  const { owner, first, second, message, without } = threePieces();
  expect(piecesOf(owner.log, message)).toEqual({ parts: [first, second], isLinked: true });
  expect(textsWith(owner.log, first)).toEqual([message]);
  expect(eventsOfText(owner.log, message.id)).toEqual([first.id, second.id, message.id]);
  const gapped = piecesOf(without(second), message);
  expect(gapped).toEqual({ parts: [first, undefined], isLinked: false });
  expect(piecesOf(without(first), message)).toEqual({ parts: [undefined, second], isLinked: false });
});

test('a part that a device makes up beside the one it said before is no part of the text', () => {
  const { owner, first, second, message, without } = threePieces();
  const { author } = owner.who;
  const { person: _person, device: _device, type: _type, ...header } = second.header;
  const other = buildEvent(author, { ...header, previous: first.id }, 'part', hashOf('2 '));
  const log = without(second);
  log.add(other);
  // Until the right one is here it may be taken for it; the text is not whole.
  expect(piecesOf(log, message).isLinked).toBe(false);
  log.add(second);
  expect(piecesOf(log, message)).toEqual({ parts: [first, second], isLinked: true });
  expect(textsWith(log, other)).toEqual([]);
});

test('a text that counts something else among its parts is never whole', () => {
  const { owner } = foundWorld(createPerson('ana'));
  owner.say('something');
  owner.write('part', hashOf('a '));
  const message = owner.write('message', { ...hashOf('b'), parts: 2, replyTo: null });
  expect(piecesOf(owner.log, message).isLinked).toBe(false);
});

test('a piece that is longer than a stanza holds beside all keys is none', () => {
  const { owner } = foundWorld(createPerson('ana'));
  const [fits, long] = ['x'.repeat(MAX_PIECE_BYTES), 'x'.repeat(MAX_PIECE_BYTES + 1)];
  expect(isTextOf(owner.write('part', hashOf(fits)), toUtf8(fits))).toBe(true);
  expect(isTextOf(owner.write('part', hashOf(long)), toUtf8(long))).toBe(false);
});
