/** What a file is by its first bytes. `demuxer` is the one FFmpeg format that may open it. */
export interface FileFormat {
  readonly type: string;
  readonly demuxer: string | null;
}

/** Bytes of the file's head that `detectFormat` looks at. */
export const HEAD_BYTES = 4096;

const MP4 = 'mov';
/** Major brands that are no video; everything else under `ftyp` is taken for MP4. */
const BRANDS: Readonly<Record<string, FileFormat>> = {
  'qt  ': { type: 'video/quicktime', demuxer: MP4 },
  'M4A ': { type: 'audio/mp4', demuxer: MP4 },
  'M4B ': { type: 'audio/mp4', demuxer: MP4 },
  avif: { type: 'image/avif', demuxer: null },
  avis: { type: 'image/avif', demuxer: null },
  heic: { type: 'image/heic', demuxer: null },
  heix: { type: 'image/heic', demuxer: null },
  mif1: { type: 'image/heic', demuxer: null },
  msf1: { type: 'image/heic', demuxer: null },
};
const RIFF: Readonly<Record<string, FileFormat>> = {
  WEBP: { type: 'image/webp', demuxer: null },
  WAVE: { type: 'audio/wav', demuxer: 'wav' },
  'AVI ': { type: 'video/x-msvideo', demuxer: 'avi' },
};
const SIGNATURES: readonly (readonly [string, FileFormat])[] = [
  ['ffd8ff', { type: 'image/jpeg', demuxer: null }],
  ['89504e470d0a1a0a', { type: 'image/png', demuxer: null }],
  ['474946383761', { type: 'image/gif', demuxer: null }],
  ['474946383961', { type: 'image/gif', demuxer: null }],
  ['49492a00', { type: 'image/tiff', demuxer: null }],
  ['4d4d002a', { type: 'image/tiff', demuxer: null }],
  ['0000000c4a584c200d0a870a', { type: 'image/jxl', demuxer: null }],
  ['ff0a', { type: 'image/jxl', demuxer: null }],
  ['255044462d', { type: 'application/pdf', demuxer: null }],
  ['664c6143', { type: 'audio/flac', demuxer: 'flac' }],
  ['3026b2758e66cf11', { type: 'video/x-ms-wmv', demuxer: 'asf' }],
  ['464c5601', { type: 'video/x-flv', demuxer: 'flv' }],
  ['000001ba', { type: 'video/mpeg', demuxer: 'mpeg' }],
];

/** The format of a file with these first bytes; null for whatever is no known media. */
export function detectFormat(head: Buffer): FileFormat | null {
  const hex = head.subarray(0, 12).toString('hex');
  const ascii = (from: number, to: number): string => head.toString('latin1', from, to);
  const signature = SIGNATURES.find(([prefix]) => hex.startsWith(prefix));
  if (signature !== undefined) return signature[1];
  if (ascii(4, 8) === 'ftyp') return brandOf(ascii(8, 12));
  // QuickTime before brands were invented begins with any of these boxes.
  if (['moov', 'mdat', 'wide', 'free', 'skip'].includes(ascii(4, 8))) return { type: 'video/quicktime', demuxer: MP4 };
  if (ascii(0, 4) === 'RIFF') return ownEntry(RIFF, ascii(8, 12));
  if (ascii(0, 4) === 'FORM' && ascii(8, 11) === 'AIF') return { type: 'audio/aiff', demuxer: 'aiff' };
  if (hex.startsWith('1a45dfa3')) return matroskaOf(head);
  if (ascii(0, 4) === 'OggS') return oggOf(head);
  if (isBmp(head)) return { type: 'image/bmp', demuxer: 'bmp_pipe' };
  return transportOf(head) ?? soundOf(head);
}

function ownEntry(table: Readonly<Record<string, FileFormat>>, key: string): FileFormat | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}

function brandOf(brand: string): FileFormat {
  if (brand.startsWith('3g')) return { type: 'video/3gpp', demuxer: MP4 };
  return ownEntry(BRANDS, brand) ?? { type: 'video/mp4', demuxer: MP4 };
}

function matroskaOf(head: Buffer): FileFormat {
  // The document type stands in the EBML header, which is short.
  const webm = head.subarray(0, 64).includes('webm');
  return { type: webm ? 'video/webm' : 'video/x-matroska', demuxer: 'matroska' };
}

function oggOf(head: Buffer): FileFormat {
  const video = head.includes('theora');
  return { type: video ? 'video/ogg' : 'audio/ogg', demuxer: 'ogg' };
}

/** "BM", the file's size, and a header of a known length: two letters alone begin many texts. */
function isBmp(head: Buffer): boolean {
  if (head.length < 30 || head.toString('latin1', 0, 2) !== 'BM') return false;
  return [12, 40, 52, 56, 64, 108, 124].includes(head.readUInt32LE(14));
}

/** MPEG transport streams have a sync byte every 188 bytes, with a 4-byte time stamp before each on camcorders. */
function transportOf(head: Buffer): FileFormat | null {
  const every = (first: number, step: number): boolean =>
    head.length > first + step * 4 && [0, 1, 2, 3, 4].every((packet) => head[first + packet * step] === 0x47);
  return every(0, 188) || every(4, 192) ? { type: 'video/mp2t', demuxer: 'mpegts' } : null;
}

function soundOf(head: Buffer): FileFormat | null {
  const mp3 = { type: 'audio/mpeg', demuxer: 'mp3' };
  if (head.toString('latin1', 0, 3) === 'ID3') return mp3;
  const [first = 0, second = 0, third = 0] = head;
  if (first !== 0xff) return null;
  // ADTS: layer bits 00. MPEG audio: layer III, valid bit rate and sample rate.
  if ((second & 0xf6) === 0xf0) return { type: 'audio/aac', demuxer: 'aac' };
  const layer3 = (second & 0xe6) === 0xe2 && (second & 0x18) !== 0x08;
  return layer3 && third >> 4 !== 15 && third >> 4 !== 0 && (third & 0x0c) !== 0x0c ? mp3 : null;
}
