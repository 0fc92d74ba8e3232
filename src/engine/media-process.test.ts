import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeSamples } from '../../test/fixtures/samples.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { MediaProcess } from './media-process.ts';
import { nodeLauncher } from './process-launcher.ts';
import type { LaunchedProcess } from './process-launcher.ts';

const { signal } = new AbortController();
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-media-process-'));
  await makeSamples(folder);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(onLaunch: (launched: LaunchedProcess) => void = () => undefined): MediaProcess {
  return new MediaProcess({
    clock: systemClock,
    log: silentLogger,
    random: Math.random,
    launcher: {
      launch(entry, options) {
        const launched = nodeLauncher.launch(entry, options);
        onLaunch(launched);
        return launched;
      },
    },
  });
}

test('probes and previews come from a process of their own', async () => {
  await using media = start();
  const file = path.join(folder, 'end.mp4');
  expect(await media.probe(file, signal)).toMatchObject({ kind: 'video', type: 'video/mp4', width: 320 });
  const preview = await media.preview(file, signal);
  expect(preview?.image).toBeInstanceOf(Uint8Array);
  expect(preview?.width).toBe(320);
  await expect(media.probe(path.join(folder, 'missing'), signal)).rejects.toMatchObject({ code: 'file-missing' });
}, 30_000);

test('a file that kills the process has no preview, and the next file has one', async () => {
  let current: LaunchedProcess | undefined;
  let launches = 0;
  await using media = start((launched) => {
    current = launched;
    launches += 1;
  });
  const file = path.join(folder, 'film.mkv');
  await media.probe(file, signal);
  const doomed = media.preview(file, signal);
  current?.kill();
  expect(await doomed).toBeNull();
  expect(await media.preview(file, signal)).not.toBeNull();
  expect(launches).toBe(2);
}, 30_000);

test('damaged films are answered, one way or the other, and the engine lives on', async () => {
  await using media = start();
  const originals = ['end.mp4', 'film.mkv', 'camcorder.mts', 'cover.mp3', 'photo.avif'];
  for (let round = 0; round < 40; round += 1) {
    const name = originals[round % originals.length] ?? '';
    const bytes = readFileSync(path.join(folder, name));
    // A fixed recipe, so that a failure can be repeated.
    for (let edit = 0; edit < 20; edit += 1)
      bytes[(round * 7919 + edit * 104_729) % bytes.length] = (round + edit * 37) & 255;
    const damaged = path.join(folder, `damaged-${round}`);
    writeFileSync(damaged, round % 4 === 0 ? bytes.subarray(0, bytes.length >> 1) : bytes);
    const preview = await media.preview(damaged, signal);
    expect(preview === null || preview.image.length <= 12 * 1024).toBe(true);
  }
  expect(await media.probe(path.join(folder, 'end.mp4'), signal)).toMatchObject({ kind: 'video' });
}, 120_000);
