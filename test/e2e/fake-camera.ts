import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { encode } from 'uqr';

const [WIDTH, HEIGHT] = [640, 480];
const WHITE = 235;
const BLACK = 16;

/** A film in which somebody holds a code in front of the camera, for Chromium's made-up one. */
export async function filmOfCode(path: string, text: string): Promise<void> {
  const { data, size } = encode(text, { ecc: 'M', border: 4 });
  const scale = Math.floor(HEIGHT / size);
  const [left, top] = [(WIDTH - size * scale) >> 1, (HEIGHT - size * scale) >> 1];
  const light = Buffer.alloc(WIDTH * HEIGHT, WHITE);
  for (let y = 0; y < size * scale; y += 1) {
    for (let x = 0; x < size * scale; x += 1) {
      const isDark = data[Math.floor(y / scale)]?.[Math.floor(x / scale)] === true;
      if (isDark) light[(top + y) * WIDTH + left + x] = BLACK;
    }
  }
  await writeFilm(path, light);
}

/** A film in which somebody holds a picture in front of the camera by hand: a little askew, and not quite sharp. */
export async function filmOfPicture(path: string, picture: Buffer): Promise<void> {
  const light = await sharp(picture)
    .rotate(4, { background: '#777' })
    .resize(WIDTH, HEIGHT, { fit: 'contain', background: '#777' })
    .blur(0.7)
    .greyscale()
    .linear((WHITE - BLACK) / 255, BLACK)
    .raw()
    .toBuffer();
  await writeFilm(path, light);
}

/** Twice the same frame of these shades of grey (YUV4MPEG2). */
async function writeFilm(path: string, light: Buffer): Promise<void> {
  const frame = Buffer.concat([Buffer.from('FRAME\n'), light, Buffer.alloc((WIDTH * HEIGHT) / 2, 128)]);
  const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`);
  await writeFile(path, Buffer.concat([head, frame, frame]));
}

/** What Chromium is started with to see that film. */
export const cameraArguments = (path: string): readonly string[] => [
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  `--use-file-for-fake-video-capture=${path}`,
];
