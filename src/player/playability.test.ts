import { expect, test } from 'vitest';
import type { Probe } from '../contract/media.ts';
import { playability } from './playability.ts';

function probe(type: string, ...codecs: string[]): Probe {
  const kind =
    type === 'application/pdf' ? 'pdf' : type.startsWith('text/') ? 'other' : (type.split('/')[0] as 'video');
  const streams = codecs.map((text) => {
    const [stream = '', codec = ''] = text.split(':');
    return { kind: stream as 'video' | 'audio', codec };
  });
  return { kind, type, durationMs: 1000, width: null, height: null, streams, indexRanges: [] };
}

test.each([
  ['video/mp4', ['video:h264', 'audio:aac'], 'here'],
  ['video/mp4', ['video:h264'], 'here'],
  ['video/quicktime', ['video:h264', 'audio:pcm_s16le'], 'here'],
  ['video/3gpp', ['video:h264', 'audio:aac'], 'here'],
  ['video/x-matroska', ['video:av1', 'audio:opus'], 'here'],
  ['video/x-matroska', ['video:h264', 'audio:aac', 'audio:ac3'], 'here'],
  ['video/webm', ['video:vp8', 'audio:vorbis'], 'here'],
  ['video/webm', ['video:vp9', 'audio:opus'], 'here'],
  ['audio/mpeg', ['audio:mp3'], 'here'],
  ['audio/mp4', ['audio:aac'], 'here'],
  ['audio/flac', ['audio:flac'], 'here'],
  ['audio/ogg', ['audio:opus'], 'here'],
  ['audio/wav', ['audio:pcm_s16le'], 'here'],
  // Picture without sound, and no error event.
  ['video/x-matroska', ['video:h264', 'audio:ac3'], 'elsewhere'],
  ['video/mp4', ['video:h264', 'audio:eac3'], 'elsewhere'],
  // Sound without picture, and no error event.
  ['video/quicktime', ['video:hevc', 'audio:aac'], 'elsewhere'],
  ['video/mp4', ['video:mpeg4', 'audio:aac'], 'elsewhere'],
  ['video/3gpp', ['video:h263', 'audio:aac'], 'elsewhere'],
  ['video/ogg', ['video:theora', 'audio:vorbis'], 'elsewhere'],
  ['video/mp4', ['audio:aac'], 'elsewhere'],
  // Refused with an error event.
  ['video/x-msvideo', ['video:h264', 'audio:mp3'], 'elsewhere'],
  ['video/mp2t', ['video:h264', 'audio:aac'], 'elsewhere'],
  ['audio/mp4', ['audio:alac'], 'elsewhere'],
  ['audio/x-ms-wma', ['audio:wmav2'], 'elsewhere'],
  ['video/mp4', [], 'elsewhere'],
  ['image/jpeg', [], 'here'],
  ['image/avif', [], 'here'],
  ['image/heic', [], 'elsewhere'],
  ['image/tiff', [], 'elsewhere'],
  ['application/pdf', [], 'elsewhere'],
  ['text/plain', [], 'no'],
])('%s of %j plays %s', (type, codecs, expected) => {
  expect(playability(probe(type, ...codecs))).toBe(expected);
});
