import type { Sharp } from 'sharp';
import sharp from 'sharp';
import { rgbaToThumbHash } from 'thumbhash';
import type { Preview } from '../contract/media.ts';

/** Beyond this the picture is not decoded: a header costs a line, its pixels gigabytes. */
const MAX_PIXELS = 120_000_000;
const SIDE = 320;
/** Fits beside the event in one stanza, base64 and sealing included. */
const MAX_BYTES = 12 * 1024;
const QUALITIES = [60, 45, 32, 22, 14];
const SMALLER_SIDES = [SIDE, 240, 160];
const HASH_SIDE = 100;

// Memory is worth more than speed here, and a cache would keep pictures of files that are long done.
sharp.cache(false);
sharp.concurrency(1);

/** Opens an encoded picture, turned as its camera noted. */
export function openPicture(input: string | Buffer, maxPixels = MAX_PIXELS): Sharp {
  const limitInputPixels = Math.min(maxPixels, MAX_PIXELS);
  return sharp(input, { failOn: 'none', limitInputPixels, sequentialRead: true, pages: 1 }).autoOrient();
}

/** Wraps uncompressed RGB. */
export function rawPicture(data: Buffer, width: number, height: number, turn: number): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } }).rotate(turn);
}

/** The preview of a picture: small, without any metadata of the original. */
export async function previewOf(picture: Sharp): Promise<Preview> {
  // The turned and shrunk picture once, so that the search for a quality does not decode the original again.
  const { data, info } = await picture
    .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
    .ensureAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const small = (): Sharp => sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } });
  const image = await encode(small);
  const hashed = await small()
    .resize(HASH_SIDE, HASH_SIDE, { fit: 'inside', withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return {
    ...image,
    thumbhash: rgbaToThumbHash(hashed.info.width, hashed.info.height, hashed.data),
  };
}

/** The best quality that fits; noise that fits at none becomes smaller. */
async function encode(small: () => Sharp): Promise<Pick<Preview, 'image' | 'width' | 'height'>> {
  let last: Pick<Preview, 'image' | 'width' | 'height'> | undefined;
  for (const side of SMALLER_SIDES) {
    for (const quality of QUALITIES) {
      const { data, info } = await small()
        .resize(side, side, { fit: 'inside', withoutEnlargement: true })
        .webp({ quality, effort: 4 })
        .toBuffer({ resolveWithObject: true });
      last = { image: new Uint8Array(data), width: info.width, height: info.height };
      if (data.length <= MAX_BYTES) return last;
    }
  }
  if (last === undefined) throw new Error('no quality was tried');
  return last;
}
