/** Larger pictures are made smaller: a code that fills a tenth of one is still found. */
const MAX_SIDE = 1600;

interface Drawn {
  readonly source: CanvasImageSource;
  readonly width: number;
  readonly height: number;
}

/** The text of the code in the picture that was just picked; undefined when none was picked, null when it holds none. */
export async function readPickedCode(input: HTMLInputElement | null): Promise<string | null | undefined> {
  const picture = input?.files?.[0];
  if (input === null || picture === undefined) return undefined;
  // The same picture can be picked once more.
  input.value = '';
  // What is no picture holds no code either.
  return await readCode(picture).catch(() => null);
}

/** The text of the code that a camera sees now; null when there is none. */
export function readFrame(video: HTMLVideoElement): Promise<string | null> {
  const { videoWidth: width, videoHeight: height } = video;
  return find({ source: video, width, height });
}

/** The text of the code in a picture; null when there is none. Nothing leaves the page. */
async function readCode(picture: Blob): Promise<string | null> {
  const bitmap = await createImageBitmap(picture);
  try {
    return await find({ source: bitmap, width: bitmap.width, height: bitmap.height });
  } finally {
    bitmap.close();
  }
}

async function find({ source, ...size }: Drawn): Promise<string | null> {
  // A camera that has not begun yet.
  if (size.width === 0 || size.height === 0) return null;
  const scale = Math.min(1, MAX_SIDE / Math.max(size.width, size.height));
  const width = Math.max(1, Math.round(size.width * scale));
  const height = Math.max(1, Math.round(size.height * scale));
  const context = new OffscreenCanvas(width, height).getContext('2d');
  if (context === null) return null;
  context.drawImage(source, 0, 0, width, height);
  const { default: decode } = await import('jsqr');
  return decode(context.getImageData(0, 0, width, height).data, width, height)?.data ?? null;
}
