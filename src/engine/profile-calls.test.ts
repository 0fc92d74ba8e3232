import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { TestEngine } from '../../test/fixtures/test-engine.ts';
import { connect, startTestEngine } from '../../test/fixtures/test-engine.ts';
import { systemClock } from '../base/system-clock.ts';
import { systemRandom } from '../base/random.ts';
import { ProfileCalls } from './profile-calls.ts';
import { ProfileList } from './profile-list.ts';

beforeEach(() => {
  const data = mkdtempSync(path.join(tmpdir(), 'spherecast-people-'));
  vi.stubEnv('XDG_DATA_HOME', data);
  vi.stubEnv('LOCALAPPDATA', data);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(data, { recursive: true, force: true });
  });
});

test('the engine of another person is started once, and its address lets in without its token', async () => {
  const list = new ProfileList({ clock: systemClock, random: systemRandom, home: tmpdir() });
  const [anna, ben] = [await list.add('Anna'), await list.add('Ben')];
  const started: Promise<TestEngine>[] = [];
  const startProfile = (profile: string): void => void started.push(startTestEngine({ profile }));
  await using first = await startTestEngine({ profile: anna.folder, startProfile });
  const { client } = await connect(first.engine);
  const { url } = await client.profiles.open({ id: ben.id });
  const again = await client.profiles.open({ id: ben.id });
  expect(started).toHaveLength(1);
  await using second = await started[0];
  if (second === undefined) throw new Error('not started');
  for (const address of [url, again.url]) {
    expect(address?.startsWith(`${second.engine.origin}/?token=`)).toBe(true);
    expect(address).not.toContain(second.engine.token);
  }
  expect((await fetch(url ?? '', { redirect: 'manual' })).status).toBe(302);
  expect(await client.profiles.open({ id: anna.id })).toEqual({ url: null });
  const { profiles } = await client.profiles.list();
  expect(profiles.map(({ name, isRunning, isCurrent }) => [name, isRunning, isCurrent])).toEqual([
    ['', false, false],
    ['Anna', true, true],
    ['Ben', true, false],
  ]);
});

test('the page asks who is there only when nobody was named, there is somebody to choose, and nobody said not to', async () => {
  const list = new ProfileList({ clock: systemClock, random: systemRandom, home: tmpdir() });
  const { folder } = await list.add('Anna');
  const asks = async (asksWho: boolean): Promise<boolean> => {
    await using started = await startTestEngine({ profile: folder, asksWho });
    const { client } = await connect(started.engine);
    return (await client.profiles.list()).ask;
  };
  expect([await asks(true), await asks(false)]).toEqual([true, false]);
  await list.setStartsWithLast(true);
  expect(await asks(true)).toBe(false);
  await list.setStartsWithLast(false);
  await list.setListed('first', false);
  expect(await asks(true)).toBe(false);
});

test('the application does not begin with somebody whose engine did not start', async () => {
  const list = new ProfileList({ clock: systemClock, random: systemRandom, home: tmpdir() });
  const ben = await list.add('Ben');
  const stop = new AbortController();
  const start = (): void => stop.abort();
  const calls = new ProfileCalls({ list, current: 'elsewhere', asksWho: true, start, clock: systemClock });
  await expect(calls.open(ben.id, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  expect(list.last?.id).toBe('first');
});

test('a page that is opened for nobody in particular by an engine that runs already asks who is there', async () => {
  await using started = await startTestEngine({});
  const { headers } = await fetch(`${started.engine.urlForOnce()}&who`, { redirect: 'manual' });
  expect(headers.get('location')).toBe('/?who');
});
