import { fromBase64 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { readSmallBytes } from './read-small-file.ts';

/** Of a photo as cameras take it, before it is made small. */
const MAX_PICTURE_BYTES = 32 * 1024 * 1024;

export type GivenPicture = { readonly base64: string } | { readonly path: string };

/** The bytes of a picture that the person chose. */
export async function givenPicture(picture: GivenPicture): Promise<Uint8Array> {
  if ('path' in picture) return await readSmallBytes(picture.path, MAX_PICTURE_BYTES);
  const bytes = fromBase64(picture.base64);
  if (bytes === undefined) throw new AppError('bad-input', 'not base64');
  return bytes;
}
