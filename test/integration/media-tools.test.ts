import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeSamples } from '../fixtures/samples.ts';
import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import type { MediaContract } from '../../src/contract/media.ts';
import type { MediaTools } from '../../src/spheres/describe-item.ts';
import { ChildProcess } from '../../src/engine/child-process.ts';
import { createMediaTools } from '../../src/engine/media-tools.ts';
import type { LaunchedProcess } from '../../src/engine/process-launcher.ts';
import { nodeLauncher } from '../../src/engine/process-launcher.ts';

const { signal } = new AbortController();
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-media-process-'));
  await makeSamples(folder);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Started extends AsyncDisposable {
  readonly tools: MediaTools;
  /** The process that runs now. */
  current(): LaunchedProcess | undefined;
  launches(): number;
}

function start(clock: Clock = systemClock): Started {
  const launched: LaunchedProcess[] = [];
  const child = new ChildProcess<MediaContract>({
    name: 'media',
    entry: new URL('../../src/media/main.ts', import.meta.url),
    clock: systemClock,
    log: silentLogger,
    random: Math.random,
    closedCode: 'disconnected',
    launcher: {
      launch(entry, options) {
        const process = nodeLauncher.launch(entry, options);
        launched.push(process);
        return process;
      },
    },
  });
  return {
    tools: createMediaTools({ process: child, clock, log: silentLogger }),
    current: () => launched.at(-1),
    launches: () => launched.length,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

test('probes and previews come from a process of their own', async () => {
  await using media = start();
  const file = path.join(folder, 'end.mp4');
  expect(await media.tools.probe(file, signal)).toMatchObject({ kind: 'video', type: 'video/mp4', width: 320 });
  const preview = await media.tools.preview(file, signal);
  expect(preview?.image).toBeInstanceOf(Uint8Array);
  expect(preview?.width).toBe(320);
  expect(await media.tools.probe(path.join(folder, 'missing.mp4'), signal)).toMatchObject({
    type: 'video/mp4',
    streams: [],
  });
});

test('a file that kills the process has no preview, and the next file has one', async () => {
  await using media = start();
  const file = path.join(folder, 'film.mkv');
  await media.tools.probe(file, signal);
  const doomed = media.tools.preview(file, signal);
  media.current()?.kill();
  expect(await doomed).toBeNull();
  expect(await media.tools.preview(file, signal)).not.toBeNull();
  expect(media.launches()).toBe(2);
});

test('many files that are asked for together get their own answers, also when the process dies meanwhile', async () => {
  await using media = start();
  const names = ['end.mp4', 'missing.png', ...Array.from({ length: 20 }, () => 'photo.jpg'), 'cover.mp3'];
  const types = ['video/mp4', 'image/png', ...Array.from({ length: 20 }, () => 'image/jpeg'), 'audio/mpeg'];
  const probeAll = () => Promise.all(names.map((name) => media.tools.probe(path.join(folder, name), signal)));
  const probes = await probeAll();
  expect(probes.map(({ type }) => type)).toEqual(types);
  expect(probes[2]?.width).toBeGreaterThan(0);
  const doomed = probeAll();
  media.current()?.kill();
  expect((await doomed).map(({ type }) => type)).toEqual(types);
  expect(media.launches()).toBeGreaterThan(1);
  const abort = new AbortController();
  const given = Promise.allSettled(names.map((name) => media.tools.probe(path.join(folder, name), abort.signal)));
  abort.abort(new Error('given up'));
  expect(new Set((await given).map(({ status }) => status))).toEqual(new Set(['rejected']));
}, 60_000);

test('a file that stalls the process costs 25 seconds and the process, not the next file', async () => {
  const slept: number[] = [];
  const hurried: Clock = {
    ...systemClock,
    sleep: (ms, stop) => {
      slept.push(ms);
      // Only the wait for the stalled process is hurried: a true preview takes its time on a busy machine.
      return systemClock.sleep(slept.length === 1 ? ms / 10 : ms, stop);
    },
  };
  await using media = start(hurried);
  const file = path.join(folder, 'photo.jpg');
  const stalled = media.current()?.pid;
  if (stalled === undefined) throw new Error('no process');
  process.kill(stalled, 'SIGSTOP');
  expect(await media.tools.preview(file, signal)).toBeNull();
  expect(slept).toEqual([25_000]);
  expect((await media.tools.preview(file, signal))?.width).toBe(320);
  expect(media.launches()).toBe(2);
});

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
    const preview = await media.tools.preview(damaged, signal);
    expect(preview === null || preview.image.length <= 12 * 1024).toBe(true);
  }
  expect(await media.tools.probe(path.join(folder, 'end.mp4'), signal)).toMatchObject({ kind: 'video' });
}, 120_000);
