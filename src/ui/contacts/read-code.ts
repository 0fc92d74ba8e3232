/** Larger pictures are made smaller: a code that fills a tenth of one is still found. */
const MAX_SIDE = 1600;

/** The text of the code in the picture that was just picked; undefined when none was picked, null when it holds none. */
export async function readPickedCode(input: HTMLInputElement | null): Promise<string | null | undefined> {
  const picture = input?.files?.[0];
  if (input === null || picture === undefined) return undefined;
  // The same picture can be picked once more.
  input.value = '';
  // What is no picture holds no code either.
  return await readCode(picture).catch(() => null);
}

/** The text of the code in a picture; null when there is none. Nothing leaves the page. */
async function readCode(picture: Blob): Promise<string | null> {
  const bitmap = await createImageBitmap(picture);
  try {
    const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
    const width = Math.max(1, Math.round(bitmap.width * scale));
    const height = Math.max(1, Math.round(bitmap.height * scale));
    const context = new OffscreenCanvas(width, height).getContext('2d');
    if (context === null) return null;
    context.drawImage(bitmap, 0, 0, width, height);
    const { default: find } = await import('jsqr');
    return find(context.getImageData(0, 0, width, height).data, width, height)?.data ?? null;
  } finally {
    bitmap.close();
  }
}
