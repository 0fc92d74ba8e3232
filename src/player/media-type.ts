import type { MediaKind } from '../contract/views.ts';

/** The only types the media server ever claims; everything else is plain bytes to save. */
const TYPES: Readonly<Record<string, string>> = {
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  mov: 'video/quicktime',
  '3gp': 'video/3gpp',
  mkv: 'video/x-matroska',
  webm: 'video/webm',
  avi: 'video/x-msvideo',
  mts: 'video/mp2t',
  m2ts: 'video/mp2t',
  ts: 'video/mp2t',
  mpg: 'video/mpeg',
  mpeg: 'video/mpeg',
  wmv: 'video/x-ms-wmv',
  flv: 'video/x-flv',
  ogv: 'video/ogg',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  wma: 'audio/x-ms-wma',
  aiff: 'audio/aiff',
  mka: 'audio/x-matroska',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  avif: 'image/avif',
  gif: 'image/gif',
  bmp: 'image/bmp',
  heic: 'image/heic',
  tiff: 'image/tiff',
  tif: 'image/tiff',
  jxl: 'image/jxl',
  pdf: 'application/pdf',
};
const ALLOWED: ReadonlySet<string> = new Set(Object.values(TYPES));

export const PLAIN_BYTES = 'application/octet-stream';

/** The type a file's name promises, plain bytes for unknown extensions. */
export function typeOfName(name: string): string {
  const extension = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  return (Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined) ?? PLAIN_BYTES;
}

/** The Content-Type for a file: by content where that is known, by name else, and never outside the list. */
export function servedType(name: string, typeByContent: string | null): string {
  const type = typeByContent ?? typeOfName(name);
  return ALLOWED.has(type) ? type : PLAIN_BYTES;
}

/** Whether a browser may show the type in place: pictures, sound and films only. */
export function isShownInline(type: string): boolean {
  return /^(?:video|audio|image)\//.test(type);
}

export function kindOfType(type: string): MediaKind {
  if (type.startsWith('video/')) return 'video';
  if (type.startsWith('audio/')) return 'audio';
  if (type.startsWith('image/')) return 'image';
  return type === 'application/pdf' ? 'pdf' : 'other';
}
