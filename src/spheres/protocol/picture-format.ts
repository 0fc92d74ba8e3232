/** What the picture of a sphere may be: nothing that is a program or refers to something else. */
export type PictureFormat = 'webp' | 'jpeg';

/** By how the bytes begin; null for everything else. */
export function pictureFormat(bytes: Uint8Array): PictureFormat | null {
  const has = (text: string, offset: number): boolean =>
    [...text].every((sign, index) => bytes[offset + index] === sign.charCodeAt(0));
  if (has('RIFF', 0) && has('WEBP', 8)) return 'webp';
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff ? 'jpeg' : null;
}
