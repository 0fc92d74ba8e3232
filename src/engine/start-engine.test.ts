import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { fakeItem, SPHERE_ID } from '../../test/fixtures/fake-services.ts';
import { connect, startTestEngine } from '../../test/fixtures/test-engine.ts';
import type { SequencedEvent } from '../contract/views.ts';

test('an engine tells where it is in a private file and takes that file away when it ends', async () => {
  await using started = await startTestEngine();
  const { engine, profile } = started;
  const file = path.join(profile, 'engine.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    pid: process.pid,
    startedAt: expect.any(Number),
    url: engine.origin,
    token: engine.token,
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(profile).mode & 0o777).toBe(0o700);
  await engine.stop();
  await engine.stopped;
  expect([existsSync(file), existsSync(path.join(profile, 'lock'))]).toEqual([false, false]);
});

test('a second engine for the same profile is refused and the first one goes on', async () => {
  await using first = await startTestEngine();
  await expect(startTestEngine({ profile: first.profile })).rejects.toMatchObject({ code: 'profile-in-use' });
  const { client, socket } = await connect(first.engine);
  expect(await client.system.status()).toMatchObject({ pid: process.pid, url: first.engine.url });
  socket.close();
});

test('a restarted engine takes the port of the last run, so that an open page finds it', async () => {
  await using first = await startTestEngine();
  const { port } = new URL(first.engine.origin);
  await first.engine.stop();
  await using second = await startTestEngine({ profile: first.profile });
  expect(new URL(second.engine.origin).port).toBe(port);
});

test('a port that was asked for and is taken is a conflict, and nothing is left behind', async () => {
  await using first = await startTestEngine();
  const port = Number(new URL(first.engine.origin).port);
  await expect(startTestEngine({ port })).rejects.toMatchObject({ code: 'conflict' });
});

test('calls reach the services checked, and failures come back with our codes', async () => {
  await using started = await startTestEngine();
  const { client, socket } = await connect(started.engine);
  expect(await client.spheres.create({ name: '  Holidays ' })).toMatchObject({ sphere: { name: 'Holidays' } });
  const wrong = { jid: 'ana@example.org', password: 'wrong' };
  await expect(client.account.signIn(wrong)).rejects.toMatchObject({
    code: 'wrong-password',
    data: { code: 'wrong-password', message: 'the server refused the password' },
  });
  await expect(client.items.list({ sphereId: 'nonsense' })).rejects.toMatchObject({ data: { code: 'bad-input' } });
  const list = async () => Promise.reject(new TypeError('a bug with /home/ana in it'));
  Object.assign(started.services.spheres, { list });
  await expect(client.spheres.list()).rejects.toMatchObject({
    data: { code: 'internal', message: 'the engine met an unexpected failure' },
  });
  socket.close();
});

test('a call is cancelled in the service when its client goes away', async () => {
  await using started = await startTestEngine();
  const { client, socket } = await connect(started.engine);
  const aborted = new Promise<void>((resolve) => {
    const sync = (signal: AbortSignal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          resolve();
          reject(signal.reason);
        });
      });
    Object.assign(started.services.system, { sync });
  });
  const call = client.system.sync().catch((error: unknown) => error);
  await client.system.status();
  socket.terminate();
  await aborted;
  expect(await call).toBeInstanceOf(Error);
});

test('a client that comes back with its last number misses no event', async () => {
  await using started = await startTestEngine();
  const first = await connect(started.engine);
  const { seq, items } = await first.client.system.snapshot();
  expect(items).toHaveLength(1);
  first.socket.terminate();
  started.services.onEvent.emit({ kind: 'sphere-removed', sphereId: SPHERE_ID });
  started.services.onEvent.emit({ kind: 'item', item: fakeItem('second.mp4') });

  const second = await connect(started.engine);
  const received: SequencedEvent[] = [];
  for await (const event of await second.client.system.events({ since: seq })) {
    received.push(event);
    if (received.length === 2) break;
  }
  expect(received.map(({ event }) => event.kind)).toEqual(['sphere-removed', 'item']);
  const tooOld = await second.client.system.events({ since: 1 });
  await expect(tooOld.next()).rejects.toMatchObject({ data: { code: 'conflict' } });
  second.socket.close();
});

test('shutDown answers first and then ends the engine', async () => {
  await using started = await startTestEngine();
  const { client } = await connect(started.engine);
  expect(await client.system.shutDown()).toEqual({ ok: true });
  await started.engine.stopped;
  expect(existsSync(path.join(started.profile, 'engine.json'))).toBe(false);
});

test('the path picker shows the home folder only', async () => {
  await using started = await startTestEngine();
  const { client, socket } = await connect(started.engine);
  const listing = await client.system.browse({});
  expect(listing.parent).toBeNull();
  await expect(client.system.browse({ path: '/etc' })).rejects.toMatchObject({ data: { code: 'path-outside' } });
  await expect(client.system.browse({ path: '../../..' })).rejects.toMatchObject({ data: { code: 'path-outside' } });
  socket.close();
});
