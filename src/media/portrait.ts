import type { Portrait } from '../contract/media.ts';
import { detectFormat, HEAD_BYTES } from './magic.ts';
import { openPicture } from './picture.ts';

/** Twice as large as a person is ever shown. */
const SIDES = [192, 160, 128, 96];
const QUALITY = 80;
/** Everybody on the list fetches it in one stanza, behind which all others wait: nine seconds at 56 kbit/s. */
const MAX_BYTES = 48 * 1024;
/** Of no use to honest pictures, and hundreds of megabytes of memory for a few kilobytes that somebody else sent. */
const MAX_PIXELS_PER_BYTE = 1000;
/** A single colour takes next to nothing. */
const ALWAYS_DRAWN_PIXELS = 4_000_000;
/** What is drawn here by itself: an SVG is a program. */
const TYPES = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif']);

/** The middle of a picture as a small square, without any metadata of the original; null when the bytes are none. */
export async function drawPortrait(bytes: Uint8Array): Promise<Portrait | null> {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!TYPES.has(detectFormat(input.subarray(0, HEAD_BYTES))?.type ?? '')) return null;
  const maxPixels = Math.max(ALWAYS_DRAWN_PIXELS, bytes.length * MAX_PIXELS_PER_BYTE);
  try {
    for (const side of SIDES) {
      const square = openPicture(input, maxPixels).resize(side, side, { fit: 'cover' }).toColourspace('srgb');
      const png = await square.png({ compressionLevel: 9 }).toBuffer();
      if (png.length > MAX_BYTES) continue;
      const image = await openPicture(png).webp({ quality: QUALITY }).toBuffer();
      return { png: new Uint8Array(png), side, image: new Uint8Array(image) };
    }
  } catch {
    // Damaged or hostile: whoever sent it is shown by their letters.
  }
  return null;
}
