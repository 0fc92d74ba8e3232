import { AppError } from '../../base/errors.ts';

/** More than is ever shown; the engine draws its own from it. */
const SIDE = 320;

/** The middle of a picture as a small square PNG, as a data address. Nothing else of the file leaves the page. */
export async function squareOf(picture: Blob): Promise<string> {
  const bitmap = await createImageBitmap(picture);
  try {
    const side = Math.min(bitmap.width, bitmap.height);
    const canvas = document.createElement('canvas');
    canvas.width = Math.min(SIDE, side);
    canvas.height = canvas.width;
    const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    const pen = canvas.getContext('2d');
    if (pen === null) throw new AppError('internal', 'the page cannot draw');
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(bitmap, left, top, side, side, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/png');
  } finally {
    bitmap.close();
  }
}

export function base64Of(dataAddress: string): string {
  return dataAddress.slice(dataAddress.indexOf(',') + 1);
}
