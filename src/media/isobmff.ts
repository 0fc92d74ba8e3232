// ISO/IEC 14496-12: ISO base media file format
import type { Probe } from '../contract/media.ts';
import type { ByteSource } from './byte-source.ts';
import type { ContainerFacts } from './container.ts';
import { MAX_DURATION_MS, MAX_SIDE, NO_FACTS, plausible } from './container.ts';

const MAX_BOXES = 4096;
const MAX_MOOV = 64 * 1024 * 1024;
const MAX_TRACKS = 64;
const HEAD = 64 * 1024;

interface Box {
  readonly type: string;
  readonly start: number;
  /** Where the content begins. */
  readonly body: number;
  readonly end: number;
}

/** Codec names as FFmpeg spells them; what is not listed keeps its own name. */
const CODECS: Readonly<Record<string, string>> = {
  avc1: 'h264',
  avc3: 'h264',
  hvc1: 'hevc',
  hev1: 'hevc',
  vp08: 'vp8',
  vp09: 'vp9',
  av01: 'av1',
  s263: 'h263',
  jpeg: 'mjpeg',
  'ac-3': 'ac3',
  'ec-3': 'eac3',
  Opus: 'opus',
  fLaC: 'flac',
  '.mp3': 'mp3',
  sowt: 'pcm_s16le',
  twos: 'pcm_s16be',
  samr: 'amr_nb',
};
/** ISO/IEC 14496-1 object types inside of `esds`. */
const OBJECT_TYPES: Readonly<Record<number, string>> = {
  0x20: 'mpeg4',
  0x40: 'aac',
  0x66: 'aac',
  0x67: 'aac',
  0x68: 'aac',
  0x69: 'mp3',
  0x6b: 'mp3',
};

/** Where the index of an MP4 or MOV file lies and what its tracks are. */
export async function readIsoBmff(source: ByteSource): Promise<ContainerFacts> {
  const boxes = await topLevelBoxes(source);
  const moov = boxes.find(({ type }) => type === 'moov');
  if (moov === undefined) return NO_FACTS;
  const indexRanges = rangesOf(boxes, moov, source.size);
  if (moov.end - moov.body > MAX_MOOV) return { ...NO_FACTS, indexRanges };
  const content = await source.read(moov.body, moov.end - moov.body);
  return { ...readMovie(content), indexRanges };
}

async function topLevelBoxes(source: ByteSource): Promise<Box[]> {
  const boxes: Box[] = [];
  for (let position = 0; position < source.size && boxes.length < MAX_BOXES;) {
    const box = readBox(await source.read(position, 16), 0, position, source.size);
    if (box === undefined) break;
    boxes.push(box);
    position = box.end;
  }
  return boxes;
}

/** Reads the header at `at` of `bytes`, whose first byte lies at `base` of the file. */
function readBox(bytes: Buffer, at: number, base: number, limit: number): Box | undefined {
  if (at + 8 > bytes.length) return undefined;
  const short = bytes.readUInt32BE(at);
  const type = bytes.toString('latin1', at + 4, at + 8);
  const start = base + at;
  let header = 8;
  let size = short;
  if (short === 1) {
    if (at + 16 > bytes.length) return undefined;
    size = Number(bytes.readBigUInt64BE(at + 8));
    header = 16;
  } else if (short === 0) size = limit - start;
  if (size < header) return undefined;
  return { type, start, body: start + header, end: Math.min(start + size, limit) };
}

/** The head up to the index, the index itself, and what fragmented files keep besides it. */
function rangesOf(boxes: readonly Box[], moov: Box, size: number): Probe['indexRanges'] {
  const first = boxes.find(({ type }) => type === 'mdat' || type === 'moof');
  const atHead = first === undefined || moov.start < first.start;
  const ranges = atHead
    ? [{ from: 0, to: moov.end }]
    : [
        { from: 0, to: Math.min(HEAD, moov.start) },
        { from: moov.start, to: moov.end },
      ];
  for (const { type, start, end } of boxes) {
    if (type === 'sidx' || type === 'mfra') ranges.push({ from: start, to: end });
  }
  return ranges.filter(({ from, to }) => from < to && to <= size).slice(0, 8);
}

function children(bytes: Buffer, from: number, to: number): Box[] {
  const boxes: Box[] = [];
  for (let position = from; position < to && boxes.length < MAX_BOXES;) {
    const box = readBox(bytes.subarray(0, to), position, 0, to);
    if (box === undefined) break;
    boxes.push(box);
    position = box.end;
  }
  return boxes;
}

function readMovie(moov: Buffer): Omit<ContainerFacts, 'indexRanges'> {
  const boxes = children(moov, 0, moov.length);
  const mvhd = boxes.find(({ type }) => type === 'mvhd');
  const tracks = boxes
    .filter(({ type }) => type === 'trak')
    .slice(0, MAX_TRACKS)
    .map((box) => readTrack(moov, box));
  const picture = tracks.find(({ stream }) => stream.kind === 'video');
  return {
    durationMs: mvhd === undefined ? null : durationOf(moov.subarray(mvhd.body, mvhd.end)),
    width: picture?.width ?? null,
    height: picture?.height ?? null,
    streams: tracks.map(({ stream }) => stream),
  };
}

function durationOf(mvhd: Buffer): number | null {
  const long = mvhd[0] === 1;
  if (mvhd.length < (long ? 32 : 20)) return null;
  const timescale = mvhd.readUInt32BE(long ? 20 : 12);
  const duration = long ? Number(mvhd.readBigUInt64BE(24)) : mvhd.readUInt32BE(16);
  return plausible((duration / timescale) * 1000, MAX_DURATION_MS);
}

interface Track {
  readonly stream: Probe['streams'][number];
  readonly width: number | null;
  readonly height: number | null;
}

function readTrack(moov: Buffer, trak: Box): Track {
  const find = (parent: Box | undefined, type: string): Box | undefined =>
    parent === undefined ? undefined : children(moov, parent.body, parent.end).find((box) => box.type === type);
  const mdia = find(trak, 'mdia');
  const hdlr = find(mdia, 'hdlr');
  const stsd = find(find(find(mdia, 'minf'), 'stbl'), 'stsd');
  const tkhd = find(trak, 'tkhd');
  const handler = hdlr === undefined ? '' : moov.toString('latin1', hdlr.body + 8, hdlr.body + 12);
  // The last eight bytes of a track header are width and height in 16.16 fixed point.
  const side = (fromEnd: number): number | null =>
    tkhd === undefined || tkhd.end - tkhd.body < 8
      ? null
      : plausible(moov.readUInt32BE(tkhd.end - fromEnd) / 65_536, MAX_SIDE);
  return { stream: { kind: kindOf(handler), codec: codecOf(moov, stsd) }, width: side(8), height: side(4) };
}

function kindOf(handler: string): Probe['streams'][number]['kind'] {
  if (handler === 'vide') return 'video';
  if (handler === 'soun') return 'audio';
  return ['subt', 'text', 'sbtl'].includes(handler) ? 'subtitle' : 'other';
}

function codecOf(moov: Buffer, stsd: Box | undefined): string {
  const entry = stsd === undefined ? undefined : children(moov, stsd.body + 8, stsd.end)[0];
  if (entry === undefined) return 'unknown';
  if (entry.type === 'mp4a' || entry.type === 'mp4v') {
    const objectType = objectTypeOf(moov.subarray(entry.body, entry.end));
    return (objectType === undefined ? undefined : OBJECT_TYPES[objectType]) ?? 'unknown';
  }
  return (Object.hasOwn(CODECS, entry.type) ? CODECS[entry.type] : undefined) ?? entry.type.trim().toLowerCase();
}

/** The decoder configuration's object type: tag 4 inside of tag 3, each with a length of one to four bytes. */
function objectTypeOf(entry: Buffer): number | undefined {
  const esds = entry.indexOf('esds');
  if (esds < 0) return undefined;
  // Version and flags, then the ES descriptor's tag.
  let position = esds + 8;
  if (entry[position] !== 3) return undefined;
  // Its id and flags; optional fields are not used in files.
  position = afterLength(entry, position + 1) + 3;
  return entry[position] === 4 ? entry[afterLength(entry, position + 1)] : undefined;
}

function afterLength(bytes: Buffer, from: number): number {
  let position = from;
  for (let count = 0; count < 3 && ((bytes[position] ?? 0) & 0x80) !== 0; count += 1) position += 1;
  return position + 1;
}
