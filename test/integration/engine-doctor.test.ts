import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { z } from 'zod';
import type { doctorShape } from '../../src/cli/doctor-shape.ts';
import { eventually } from '../fixtures/engine-process.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';

type Report = z.infer<typeof doctorShape>;

let world: EngineWorld;
let anna: Person;
let ben: Person;
let sphere: string;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben']);
  anna = world.person('anna');
  ben = world.person('ben');
  sphere = await world.sphere('Summer', anna, ben);
});

afterAll(async () => await world[Symbol.asyncDispose]());

const check = (person: Person): Promise<Report> => person.run<Report>('doctor');
const codes = (report: Report): string[] => report.findings.map(({ code }) => code);

test('the check finds what is true of server, clock, disk and network', async () => {
  const report = await check(anna);
  expect(codes(report)).toEqual(
    expect.arrayContaining(['server-reached', 'transfers-ready', 'router-not-asked', 'disk-room', 'clock-right']),
  );
  expect(report.server).toMatchObject({
    tls: 'TLSv1.3',
    resumes: true,
    features: { rooms: true, personalNodes: true, archive: true, carbons: true, helpers: false },
  });
  expect(report.server?.roundTripMs).toBeLessThan(2_000);
  expect(Math.abs(report.server?.clockAheadMs ?? Infinity)).toBeLessThan(5_000);
  expect(report.disks).toMatchObject([{ sphere, writable: true }]);
  expect(report.network?.ports).toContainEqual(expect.objectContaining({ purpose: 'data', state: 'unmapped' }));
});

test('a member is idle as long as nothing has to move, and connected while it does', async () => {
  expect((await check(ben)).devices).toMatchObject([{ jid: anna.jid, state: 'idle', path: null }]);
  const path = join(world.folder, 'film.mp4');
  await writeFile(path, randomBytes(4 * 1024 * 1024));
  const item = await anna.share(sphere, path);
  await ben.item(sphere, item);
  // Slow enough that it moves as long as one looks.
  await ben.run('limit', '--down', '200000');
  await ben.run('get', sphere, item);
  const [device] = await eventually('a connection that is told', async () => {
    const { devices } = await check(ben);
    return devices[0]?.state === 'connected' ? devices : undefined;
  });
  expect(device).toMatchObject({ jid: anna.jid, severity: 'ok', path: 'lan', because: [], advice: null });
  await ben.run('limit', '--down', '0');
});

test('a server that is away is told with its reason, and everything else all the same', async () => {
  await world.prosody.stop();
  const report = await eventually('the loss of the server', async () => {
    const found = await check(anna);
    return codes(found).includes('server-away') ? found : undefined;
  });
  expect(report.findings.find(({ code }) => code === 'server-away')?.severity).toBe('problem');
  expect(report.server).toBeNull();
  expect(codes(report)).toEqual(expect.arrayContaining(['transfers-ready', 'disk-room']));
});

test('who is not signed in is told so, and nothing of a network', async () => {
  await anna.run('account', 'remove');
  const report = await check(anna);
  expect(codes(report)).toEqual(['signed-out']);
  expect(report).toMatchObject({ devices: [], network: null, server: null, disks: [] });
});
