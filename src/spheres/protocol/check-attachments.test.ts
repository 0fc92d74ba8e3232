import { expect, test } from 'vitest';
import { seededRandom } from '../../../test/fixtures/protocol/people.ts';
import { foundWorld, itemBody } from '../../../test/fixtures/protocol/sphere-world.ts';
import { toUtf8 } from '../../base/bytes.ts';
import { checkAttachments, isTextOf } from './check-attachments.ts';
import { attachment } from './envelope.ts';
import { epochCommitment } from './epoch.ts';
import { buildAnyEvent } from './event.ts';
import { sha256Hex } from './keys.ts';

const { owner } = foundWorld();
const metainfo = toUtf8('the torrent');
const manifest = toUtf8('the files');
const preview = toUtf8('a picture');
const item = owner.write('item', {
  ...itemBody('film.mp4', 'e'.repeat(64)),
  metainfoBytes: metainfo.length,
  metainfoSha256: sha256Hex(metainfo),
  manifest: { offset: 0, length: manifest.length, sha256: sha256Hex(manifest) },
  previewSha256: sha256Hex(preview),
});

test('attachments that match the event are accepted', () => {
  const list = [
    attachment('metainfo', metainfo),
    attachment('manifest', manifest),
    attachment('preview', preview),
    attachment('media-key', new Uint8Array(60)),
  ];
  expect(checkAttachments(item, list)).toEqual({ accepted: list, refused: [], unchecked: [] });
});

test('attachments that differ from the hashes, or belong to another kind of event, are refused', () => {
  const list = [
    attachment('metainfo', toUtf8('the TORRENT')),
    attachment('manifest', toUtf8('the FILES')),
    attachment('preview', toUtf8('another')),
    attachment('media-key', new Uint8Array(32)),
    attachment('epoch-key', new Uint8Array(32)),
    attachment('text', toUtf8('text')),
  ];
  expect(checkAttachments(item, list)).toEqual({ accepted: [], refused: list, unchecked: [] });
});

test('an epoch key is compared with the commitment', () => {
  const key = seededRandom('epoch')(32);
  const epoch = owner.write('epoch', { number: 1, commitment: epochCommitment(key), reason: 'renewal' });
  const right = attachment('epoch-key', key);
  const wrong = attachment('epoch-key', new Uint8Array(32));
  expect(checkAttachments(epoch, [right, wrong])).toEqual({ accepted: [right], refused: [wrong], unchecked: [] });
});

test('a line of text that differs from the signed hash is not the text of the message', () => {
  const message = owner.say('hello');
  expect(isTextOf(message, toUtf8('hello'))).toBe(true);
  expect(isTextOf(message, toUtf8('hello!'))).toBe(false);
});

test('unknown kinds and attachments of unknown events are left unchecked', () => {
  const odd = { kind: null, code: 99, bytes: Uint8Array.of(1) };
  expect(checkAttachments(item, [odd]).unchecked).toEqual([odd]);
  const header = owner.log.nextHeader(owner.who.author.device.id, 0);
  const future = buildAnyEvent(owner.who.author, header, 'poll', {});
  const text = attachment('text', toUtf8('?'));
  expect(checkAttachments(future, [text]).unchecked).toEqual([text]);
});
