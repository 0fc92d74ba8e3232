import type { Demuxer, Stream } from 'node-av';
import type { Probe } from '../contract/media.ts';
import { MAX_DURATION_MS, MAX_SIDE, plausible } from './container.ts';
import type { DecoderLibrary } from './decoder-library.ts';

/** Uncompressed RGB, three bytes a pixel, and the degrees by which it must be turned clockwise. */
export interface DecodedPicture {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
  readonly turn: number;
}

export interface DecodedFacts {
  readonly durationMs: number | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly streams: Probe['streams'];
}

/** What to open and how: one file, by one format, with no other file or address reachable from it. */
export interface MediaInput {
  readonly path: string;
  readonly demuxer: string;
}

const PROBE_BYTES = 5_000_000;
const PROBE_MICROSECONDS = 5_000_000;
/** Beyond 8K in either direction nothing is decoded: a header costs a line, its picture gigabytes. */
const MAX_PIXELS = 8192 * 8192;
const MAX_FRAMES = 90;
const PICTURE_SIDE = 640;

/** The streams of a film or a song by FFmpeg's own reading. */
export async function probeStreams(library: DecoderLibrary, input: MediaInput): Promise<DecodedFacts> {
  await using demuxer = await openInput(library, input);
  const streams = demuxer.streams.map((stream) => ({ kind: kindOf(library, stream), codec: codecOf(library, stream) }));
  const picture = demuxer.streams.find((stream) => kindOf(library, stream) === 'video');
  const sides = picture === undefined ? undefined : sidesOf(library, picture);
  return {
    durationMs: plausible(demuxer.duration * 1000, MAX_DURATION_MS),
    width: sides?.width ?? null,
    height: sides?.height ?? null,
    streams,
  };
}

/** A frame at `fraction` of a film, at most 640 pixels wide; null when there is no picture in it. */
export async function grabFrame(
  library: DecoderLibrary,
  input: MediaInput,
  fraction: number,
): Promise<DecodedPicture | null> {
  await using demuxer = await openInput(library, input);
  const stream = demuxer.streams.find((candidate) => kindOf(library, candidate) === 'video');
  if (stream === undefined) return null;
  if (stream.codecpar.width * stream.codecpar.height > MAX_PIXELS) return null;
  const start = Number.isFinite(demuxer.startTime) ? demuxer.startTime : 0;
  const target = start + demuxer.duration * fraction;
  if (fraction > 0 && demuxer.duration > 1) await demuxer.seek(target, -1, library.AVSEEK_FLAG_BACKWARD);
  using decoder = await library.Decoder.create(stream, {
    exitOnError: false,
    threadCount: 2,
    options: { max_pixels: MAX_PIXELS },
  });
  // Anamorphic pictures are brought to square pixels; the height follows.
  using filter = library.FilterAPI.create(
    `scale=w='min(${PICTURE_SIDE},max(2,trunc(iw*if(gt(sar,0),sar,1)/2)*2))':h='max(2,trunc(ow/(iw*if(gt(sar,0),sar,1)/ih)/2)*2)',format=rgb24`,
  );
  const { num, den } = stream.timeBase;
  let count = 0;
  for await (const frame of filter.frames(decoder.frames(demuxer.packets(stream.index)))) {
    if (frame === null) break;
    using picture = frame;
    count += 1;
    // The seek ends at the key frame before the place; going on is worth some frames, not a whole film.
    const reached = (Number(picture.pts) * num) / den >= target - 0.05;
    if (reached || count >= MAX_FRAMES || demuxer.duration <= 1) return copyOf(picture, turnOf(library, stream));
  }
  return null;
}

/** The cover picture inside of a song, as it was put there; null when there is none. */
export async function readCover(library: DecoderLibrary, input: MediaInput): Promise<Buffer | null> {
  await using demuxer = await openInput(library, input);
  const stream = demuxer.streams.find((candidate) => isCover(library, candidate));
  if (stream === undefined) return null;
  // The library's own `attachedPic` ends the process; the picture is also the stream's only packet.
  for await (const packet of demuxer.packets(stream.index)) {
    using cover = packet;
    return cover?.data === undefined || cover.data === null ? null : Buffer.from(cover.data);
  }
  return null;
}

function openInput(library: DecoderLibrary, { path, demuxer }: MediaInput): Promise<Demuxer> {
  return library.Demuxer.open(path, {
    format: demuxer,
    options: {
      protocol_whitelist: 'file',
      format_whitelist: FORMATS[demuxer] ?? demuxer,
      probesize: PROBE_BYTES,
      analyzeduration: PROBE_MICROSECONDS,
    },
  });
}

/** The full names under which FFmpeg compares formats. */
const FORMATS: Readonly<Record<string, string>> = {
  mov: 'mov,mp4,m4a,3gp,3g2,mj2',
  matroska: 'matroska,webm',
};

function isCover(library: DecoderLibrary, stream: Stream): boolean {
  return (
    stream.codecpar.codecType === library.AVMEDIA_TYPE_VIDEO &&
    stream.hasDisposition(library.AV_DISPOSITION_ATTACHED_PIC)
  );
}

function kindOf(library: DecoderLibrary, stream: Stream): Probe['streams'][number]['kind'] {
  if (isCover(library, stream)) return 'other';
  switch (stream.codecpar.codecType) {
    case library.AVMEDIA_TYPE_VIDEO:
      return 'video';
    case library.AVMEDIA_TYPE_AUDIO:
      return 'audio';
    case library.AVMEDIA_TYPE_SUBTITLE:
      return 'subtitle';
    default:
      return 'other';
  }
}

function codecOf(library: DecoderLibrary, stream: Stream): string {
  return library.avGetCodecName(stream.codecpar.codecId) ?? 'unknown';
}

/** Width and height as they are seen: turned, and with square pixels. */
function sidesOf(library: DecoderLibrary, stream: Stream): { width: number | null; height: number | null } {
  const { width, height, sampleAspectRatio } = stream.codecpar;
  const { num, den } = sampleAspectRatio;
  const wide = plausible(num > 0 && den > 0 ? (width * num) / den : width, MAX_SIDE);
  const high = plausible(height, MAX_SIDE);
  return turnOf(library, stream) % 180 === 0 ? { width: wide, height: high } : { width: high, height: wide };
}

/** Quarter turns clockwise from the display matrix that phones write: nine 32-bit numbers, the first two in 16.16. */
function turnOf(library: DecoderLibrary, stream: Stream): number {
  const matrix = stream.codecpar.getCodedSideData(library.AV_PKT_DATA_DISPLAYMATRIX);
  if (matrix === null || matrix === undefined || matrix.length < 36) return 0;
  const degrees = (Math.atan2(matrix.readInt32LE(4), matrix.readInt32LE(0)) * 180) / Math.PI;
  return (((Math.round(degrees / 90) * 90) % 360) + 360) % 360;
}

function copyOf(frame: { width: number; height: number; toBuffer(): Buffer }, turn: number): DecodedPicture | null {
  const data = frame.toBuffer();
  const { width, height } = frame;
  return data.length === width * height * 3 ? { data, width, height, turn } : null;
}
