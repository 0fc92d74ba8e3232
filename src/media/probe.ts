import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { Probe } from '../contract/media.ts';
import { kindOfType } from '../player/media-type.ts';
import type { ByteSource } from './byte-source.ts';
import { fileSource } from './byte-source.ts';
import type { ContainerFacts } from './container.ts';
import { MAX_SIDE, NO_FACTS, plausible } from './container.ts';
import type { DecodedFacts } from './decode.ts';
import { probeStreams } from './decode.ts';
import { loadDecoders } from './decoder-library.ts';
import { readIsoBmff } from './isobmff.ts';
import type { FileFormat } from './magic.ts';
import { detectFormat, HEAD_BYTES } from './magic.ts';
import { readMatroska } from './matroska.ts';
import { openPicture } from './picture.ts';

const NOTHING: FileFormat = { type: 'application/octet-stream', demuxer: null };
const OGG_TAIL = 64 * 1024;

/** What a file is by its content, and what a player reads of it first. */
export async function probeFile(path: string): Promise<Probe> {
  await using handle = await openFile(path);
  const source = await fileSource(handle);
  const format = detectFormat(await source.read(0, HEAD_BYTES)) ?? NOTHING;
  const container = await readContainer(source, format);
  const decoded = await decodedFacts(path, format);
  const picture = format.type.startsWith('image/') ? await pictureSides(path) : undefined;
  // A decoder calls a photo a film of one frame.
  const streams = picture === undefined ? (decoded?.streams ?? container.streams) : [];
  const type = soundOnly(format.type, streams);
  return {
    kind: kindOfType(type),
    type,
    durationMs: decoded?.durationMs ?? container.durationMs,
    width: picture?.width ?? decoded?.width ?? container.width,
    height: picture?.height ?? decoded?.height ?? container.height,
    streams,
    indexRanges: container.indexRanges,
  };
}

/** What a file is of whose content nothing more can be said; null for all others. */
export async function probePlain(path: string): Promise<Probe | null> {
  if ((await formatOf(path)) !== null) return null;
  const { type } = NOTHING;
  return { kind: kindOfType(type), type, ...NO_FACTS };
}

async function openFile(path: string) {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new AppError('file-missing', 'the file cannot be opened', {}, error);
  }
}

/** The format of a file's first bytes; null when they are of no known media. */
export async function formatOf(path: string): Promise<FileFormat | null> {
  await using handle = await openFile(path);
  return detectFormat(await (await fileSource(handle)).read(0, HEAD_BYTES));
}

function readContainer(source: ByteSource, format: FileFormat): Promise<ContainerFacts> | ContainerFacts {
  switch (format.demuxer) {
    case 'mov':
      return readIsoBmff(source);
    case 'matroska':
      return readMatroska(source);
    case 'ogg':
      // The duration stands in the last page only.
      return { ...NO_FACTS, indexRanges: [{ from: Math.max(0, source.size - OGG_TAIL), to: source.size }] };
    default:
      return NO_FACTS;
  }
}

/** What FFmpeg may not or cannot read is told by the container alone. */
async function decodedFacts(path: string, { demuxer }: FileFormat): Promise<DecodedFacts | null> {
  if (demuxer === null) return null;
  const library = await loadDecoders();
  if (library === null) return null;
  try {
    return await probeStreams(library, { path, demuxer });
  } catch {
    // A damaged file is still shared; its container has told what there is to tell.
    return null;
  }
}

/** A film's container with nothing but sound in it is a song. */
function soundOnly(type: string, streams: Probe['streams']): string {
  const heard = streams.some(({ kind }) => kind === 'audio');
  if (!heard || streams.some(({ kind }) => kind === 'video')) return type;
  if (type === 'video/mp4' || type === 'video/quicktime' || type === 'video/3gpp') return 'audio/mp4';
  if (type === 'video/webm' || type === 'video/x-matroska') return 'audio/x-matroska';
  if (type === 'video/x-ms-wmv') return 'audio/x-ms-wma';
  return type;
}

async function pictureSides(path: string): Promise<{ width: number | null; height: number | null }> {
  try {
    const { autoOrient } = await openPicture(path).metadata();
    return { width: plausible(autoOrient.width, MAX_SIDE), height: plausible(autoOrient.height, MAX_SIDE) };
  } catch {
    // Not a picture this machine can open: its size stays unknown.
    return { width: null, height: null };
  }
}
