import type { Probe } from '../contract/media.ts';

export type Playability = 'here' | 'elsewhere' | 'no';

/** Chromium fails silently on the others: sound without picture, or picture without sound, and no error. */
const VIDEO_CODECS: ReadonlySet<string> = new Set(['h264', 'vp8', 'vp9', 'av1']);
const AUDIO_CODECS: ReadonlySet<string> = new Set(['aac', 'mp3', 'opus', 'vorbis', 'flac']);
const PCM_CODECS: ReadonlySet<string> = new Set([
  'pcm_u8',
  'pcm_s16le',
  'pcm_s16be',
  'pcm_s24le',
  'pcm_s24be',
  'pcm_s32le',
  'pcm_f32le',
  'pcm_alaw',
  'pcm_mulaw',
]);
const CONTAINERS: ReadonlySet<string> = new Set([
  'video/mp4',
  'video/quicktime',
  'video/3gpp',
  'video/x-matroska',
  'video/webm',
  'video/ogg',
  'audio/mpeg',
  'audio/mp4',
  'audio/aac',
  'audio/flac',
  'audio/ogg',
  'audio/wav',
  'audio/webm',
  'audio/x-matroska',
]);
const PICTURES: ReadonlySet<string> = new Set([
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/avif',
  'image/gif',
  'image/bmp',
]);

/** How a probed file can be shown: in the page, by another program only, or not at all. */
export function playability(probe: Probe): Playability {
  switch (probe.kind) {
    case 'image':
      return PICTURES.has(probe.type) ? 'here' : 'elsewhere';
    case 'video':
    case 'audio':
      return isDecodable(probe) ? 'here' : 'elsewhere';
    case 'pdf':
      return 'elsewhere';
    case 'folder':
    case 'other':
      return 'no';
  }
}

/** The container and the streams a player would choose, each by itself. */
function isDecodable(probe: Probe): boolean {
  if (!CONTAINERS.has(probe.type)) return false;
  const video = probe.streams.find((stream) => stream.kind === 'video');
  const audio = probe.streams.find((stream) => stream.kind === 'audio');
  // A file whose streams nobody could name is not promised to anyone.
  if (video === undefined && audio === undefined) return false;
  if (probe.kind === 'video' && video === undefined) return false;
  return (
    (video === undefined || VIDEO_CODECS.has(video.codec)) &&
    (audio === undefined || isPlayableSound(probe.type, audio.codec))
  );
}

function isPlayableSound(type: string, codec: string): boolean {
  if (AUDIO_CODECS.has(codec)) return true;
  return PCM_CODECS.has(codec) && (type === 'audio/wav' || type === 'video/quicktime');
}
