// RFC 9559: Matroska, RFC 8794: EBML
import type { Probe } from '../contract/media.ts';
import type { ByteSource } from './byte-source.ts';
import type { ContainerFacts } from './container.ts';
import { MAX_DURATION_MS, MAX_SIDE, NO_FACTS, plausible } from './container.ts';

const ID = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackType: 0x83,
  codecId: 0x86,
  video: 0xe0,
  pixelWidth: 0xb0,
  pixelHeight: 0xba,
  cluster: 0x1f43b675,
  cues: 0x1c53bb6b,
} as const;

const MAX_ELEMENTS = 1024;
const MAX_HEADER_ELEMENT = 16 * 1024 * 1024;
/** Longest element header: four bytes of id, eight of size. */
const HEADER_BYTES = 12;

/** Codec names as FFmpeg spells them, by the beginning of the Matroska name; longer beginnings come first. */
const CODECS: readonly (readonly [string, string])[] = [
  ['V_MPEG4/ISO/AVC', 'h264'],
  ['V_MPEGH/ISO/HEVC', 'hevc'],
  ['V_MPEG4/', 'mpeg4'],
  ['V_MPEG2', 'mpeg2video'],
  ['V_VP8', 'vp8'],
  ['V_VP9', 'vp9'],
  ['V_AV1', 'av1'],
  ['V_THEORA', 'theora'],
  ['A_AAC', 'aac'],
  ['A_OPUS', 'opus'],
  ['A_VORBIS', 'vorbis'],
  ['A_FLAC', 'flac'],
  ['A_EAC3', 'eac3'],
  ['A_AC3', 'ac3'],
  ['A_DTS', 'dts'],
  ['A_TRUEHD', 'truehd'],
  ['A_MPEG/L3', 'mp3'],
  ['A_MPEG/L2', 'mp2'],
  ['A_PCM/INT/LIT', 'pcm_s16le'],
];

interface Element {
  readonly id: number;
  readonly start: number;
  readonly body: number;
  /** The end of the file when the size is unknown. */
  readonly end: number;
}

/** Where the index of a Matroska or WebM file lies and what its tracks are. */
export async function readMatroska(source: ByteSource): Promise<ContainerFacts> {
  const segment = await findSegment(source);
  if (segment === undefined) return NO_FACTS;
  const head = await headElements(source, segment);
  const content = async (id: number): Promise<Buffer | undefined> => {
    const element = head.found.find((candidate) => candidate.id === id);
    if (element === undefined || element.end - element.body > MAX_HEADER_ELEMENT) return undefined;
    return source.read(element.body, element.end - element.body);
  };
  const tracks = readTracks(await content(ID.tracks));
  const cues =
    head.found.find(({ id }) => id === ID.cues) ?? (await findCues(source, segment, await content(ID.seekHead)));
  const ranges = [{ from: 0, to: head.end }, ...(cues === undefined ? [] : [{ from: cues.start, to: cues.end }])];
  return {
    durationMs: readDuration(await content(ID.info)),
    width: tracks.width,
    height: tracks.height,
    streams: tracks.streams,
    indexRanges: ranges.filter(({ from, to }) => from < to && to <= source.size),
  };
}

async function findSegment(source: ByteSource): Promise<Element | undefined> {
  const ebml = readElement(await source.read(0, HEADER_BYTES), 0, 0, source.size);
  if (ebml?.id !== ID.ebml) return undefined;
  const segment = readElement(await source.read(ebml.end, HEADER_BYTES), 0, ebml.end, source.size);
  return segment?.id === ID.segment ? segment : undefined;
}

/** The segment's elements before the first cluster, and where that begins. */
async function headElements(source: ByteSource, segment: Element): Promise<{ found: Element[]; end: number }> {
  const found: Element[] = [];
  let position = segment.body;
  while (position < segment.end && found.length < MAX_ELEMENTS) {
    const element = readElement(await source.read(position, HEADER_BYTES), 0, position, source.size);
    if (element === undefined || element.id === ID.cluster) break;
    found.push(element);
    position = element.end;
  }
  return { found, end: position };
}

/** RFC 9559 §6.3: the seek head tells where the cues are, counted from the segment's content. */
async function findCues(
  source: ByteSource,
  segment: Element,
  seekHead: Buffer | undefined,
): Promise<Element | undefined> {
  for (const seek of seekHead === undefined ? [] : children(seekHead)) {
    if (seekHead === undefined || seek.id !== ID.seek) continue;
    const fields = children(seekHead.subarray(seek.body, seek.end));
    const value = (id: number): number | undefined => {
      const field = fields.find((candidate) => candidate.id === id);
      return field === undefined
        ? undefined
        : unsigned(seekHead.subarray(seek.body + field.body, seek.body + field.end));
    };
    const offset = value(ID.seekPosition);
    if (value(ID.seekId) !== ID.cues || offset === undefined) continue;
    const position = segment.body + offset;
    const element = readElement(await source.read(position, HEADER_BYTES), 0, position, source.size);
    if (element?.id === ID.cues) return element;
  }
  return undefined;
}

function readDuration(info: Buffer | undefined): number | null {
  if (info === undefined) return null;
  const fields = children(info);
  const scale = fields.find(({ id }) => id === ID.timestampScale);
  const duration = fields.find(({ id }) => id === ID.duration);
  if (duration === undefined) return null;
  // RFC 9559 §5.1.2.9: one million nanoseconds unless the file says otherwise.
  const nanoseconds = scale === undefined ? 1_000_000 : (unsigned(info.subarray(scale.body, scale.end)) ?? 0);
  return plausible((float(info.subarray(duration.body, duration.end)) * nanoseconds) / 1_000_000, MAX_DURATION_MS);
}

function readTracks(tracks: Buffer | undefined): Pick<ContainerFacts, 'streams' | 'width' | 'height'> {
  const streams: Probe['streams'] = [];
  let size: { width: number | null; height: number | null } | undefined;
  for (const entry of tracks === undefined ? [] : children(tracks)) {
    if (tracks === undefined || entry.id !== ID.trackEntry) continue;
    const bytes = tracks.subarray(entry.body, entry.end);
    const fields = children(bytes);
    const field = (id: number): Buffer | undefined => {
      const found = fields.find((candidate) => candidate.id === id);
      return found === undefined ? undefined : bytes.subarray(found.body, found.end);
    };
    const kind = kindOf(unsigned(field(ID.trackType)));
    streams.push({ kind, codec: codecOf(field(ID.codecId)?.toString('latin1') ?? '') });
    if (kind === 'video') size ??= pixelSize(field(ID.video));
  }
  return { streams, width: size?.width ?? null, height: size?.height ?? null };
}

function pixelSize(video: Buffer | undefined): { width: number | null; height: number | null } {
  const fields = video === undefined ? [] : children(video);
  const side = (id: number): number | null => {
    const found = fields.find((candidate) => candidate.id === id);
    return plausible(unsigned(video?.subarray(found?.body ?? 0, found?.end ?? 0)) ?? 0, MAX_SIDE);
  };
  return { width: side(ID.pixelWidth), height: side(ID.pixelHeight) };
}

function kindOf(trackType: number | undefined): Probe['streams'][number]['kind'] {
  if (trackType === 1) return 'video';
  if (trackType === 2) return 'audio';
  return trackType === 17 ? 'subtitle' : 'other';
}

function codecOf(name: string): string {
  return CODECS.find(([beginning]) => name.startsWith(beginning))?.[1] ?? (name.toLowerCase() || 'unknown');
}

function children(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let position = 0; position < bytes.length && elements.length < MAX_ELEMENTS;) {
    const element = readElement(bytes, position, 0, bytes.length);
    if (element === undefined) break;
    elements.push(element);
    position = element.end;
  }
  return elements;
}

/** Reads the element header at `at` of `bytes`, whose first byte lies at `base` of the file. */
function readElement(bytes: Buffer, at: number, base: number, limit: number): Element | undefined {
  const idLength = Math.clz32(bytes[at] ?? 0) - 23;
  if (idLength < 1 || idLength > 4 || at + idLength >= bytes.length) return undefined;
  const id = bytes.readUIntBE(at, idLength);
  const sizeLength = Math.clz32(bytes[at + idLength] ?? 0) - 23;
  if (sizeLength < 1 || sizeLength > 8 || at + idLength + sizeLength > bytes.length) return undefined;
  const body = base + at + idLength + sizeLength;
  const size = sizeOf(bytes.subarray(at + idLength, at + idLength + sizeLength));
  return { id, start: base + at, body, end: size === undefined ? limit : Math.min(limit, body + size) };
}

/** RFC 8794 §6: all value bits set means that the size is not known. */
function sizeOf(bytes: Buffer): number | undefined {
  const bits = BigInt(bytes.length * 7);
  const value = BigInt(`0x${bytes.toString('hex')}`) & ((1n << bits) - 1n);
  return value === (1n << bits) - 1n ? undefined : Number(value);
}

function unsigned(bytes: Buffer | undefined): number | undefined {
  if (bytes === undefined || bytes.length === 0 || bytes.length > 8) return undefined;
  return Number(BigInt(`0x${bytes.toString('hex')}`));
}

function float(bytes: Buffer): number {
  if (bytes.length === 4) return bytes.readFloatBE();
  return bytes.length === 8 ? bytes.readDoubleBE() : Number.NaN;
}
