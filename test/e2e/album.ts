import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { makeFilm } from '../fixtures/film.ts';
import { landscapeSvg } from '../fixtures/landscape.ts';

const draw = (seed: number, width: number, height: number): Sharp =>
  sharp(Buffer.from(landscapeSvg(seed, width, height)));

export interface Album {
  readonly folder: string;
  readonly film: string;
  readonly filmBytes: number;
}

/** Puts a film of one minute and about 55 MB and two photos into the folder, as a person's camera would. */
export async function makeAlbum(folder: string): Promise<Album> {
  await mkdir(folder, { recursive: true });
  await Promise.all([
    draw(2, 2000, 1500).jpeg().toFile(join(folder, 'Lighthouse.jpg')),
    draw(4, 1500, 2000).png({ compressionLevel: 1 }).toFile(join(folder, 'Morning in the hills.png')),
  ]);
  const still = join(folder, '.still.png');
  await draw(1, 1600, 900).png({ compressionLevel: 1 }).toFile(still);
  const film = join(folder, 'Summer at the lake.mp4');
  const filmBytes = await makeFilm(film, { seconds: 60, bitsPerSecond: 7_200_000, size: '960x540', still });
  return { folder, film, filmBytes };
}
