import type { Preview } from '../contract/media.ts';
import type { DecodedPicture, MediaInput } from './decode.ts';
import { grabFrame, readCover } from './decode.ts';
import type { DecoderLibrary } from './decoder-library.ts';
import { loadDecoders } from './decoder-library.ts';
import type { FileFormat } from './magic.ts';
import { openPicture, previewOf, rawPicture } from './picture.ts';
import { formatOf } from './probe.ts';

/** Late enough for titles to be over, early enough to tell nothing of the end. */
const FRACTION = 0.1;

/** A small picture of a film, photo or song; null when nothing in the file can be drawn. */
export async function previewFile(path: string): Promise<Preview | null> {
  const format = await formatOf(path);
  if (format === null || format.type === 'application/pdf') return null;
  try {
    if (format.demuxer === null) return await previewOf(openPicture(path));
    return (await decodedPreview(path, format)) ?? null;
  } catch {
    // Damaged or hostile: an item without a preview is shown by its kind.
    return null;
  }
}

async function decodedPreview(path: string, { type, demuxer }: FileFormat): Promise<Preview | undefined> {
  const library = await loadDecoders();
  if (library === null || demuxer === null) return undefined;
  const frame = type.startsWith('audio/') ? null : await frameOf(library, { path, demuxer });
  if (frame !== null) return previewOf(rawPicture(frame.data, frame.width, frame.height, frame.turn));
  const cover = await readCover(library, { path, demuxer });
  return cover === null ? undefined : previewOf(openPicture(cover));
}

/** Streams without an index may have no key frame after the place that was sought: then from the beginning. */
async function frameOf(library: DecoderLibrary, input: MediaInput): Promise<DecodedPicture | null> {
  return (await grabFrame(library, input, FRACTION)) ?? (await grabFrame(library, input, 0));
}
