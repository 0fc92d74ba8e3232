import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { FakeServices } from '../../test/fixtures/fake-services.ts';
import { fakeItem, ITEM_ID, SPHERE_ID } from '../../test/fixtures/fake-services.ts';
import type { TestEngine } from '../../test/fixtures/test-engine.ts';
import { startTestEngine } from '../../test/fixtures/test-engine.ts';
import { parseBareJid, parseEventId, parseItemId } from '../base/id.ts';
import { runCli } from './run.ts';

let started: TestEngine;
let services: FakeServices;
beforeAll(async () => {
  started = await startTestEngine();
  services = started.services;
});
afterAll(async () => started[Symbol.asyncDispose]());

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in this process against the running engine. */
async function run(line: readonly string[], stdin = '', profile = started.profile): Promise<Result> {
  let stdout = '';
  let stderr = '';
  const code = await runCli(['--profile', profile, ...line], {
    io: {
      cwd: '/somewhere',
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      readStdin: async () => stdin,
    },
    openPage: async () => undefined,
    startEngine: () => Promise.reject(new Error('not in these tests')),
  });
  return { code, stdout, stderr };
}

/** The one JSON value that a command prints, and nothing else. */
async function json(line: readonly string[], stdin = ''): Promise<unknown> {
  const { code, stdout, stderr } = await run(['--json', ...line], stdin);
  expect({ line, code, stderr, lines: stdout.split('\n').length }).toEqual({ line, code: 0, stderr: '', lines: 2 });
  return JSON.parse(stdout);
}

test('each command prints exactly the shape that scripts rely on', async () => {
  const item = { id: ITEM_ID, name: 'film.mp4', bytes: 1000, state: 'sharing' };
  const listed = {
    ...item,
    type: 'video/mp4',
    bytesHave: 1000,
    from: 'ana@example.org',
    atMs: 1_700_000_000_000,
    copies: 1,
    isPublic: false,
    foundBy: null,
    isOpened: false,
    files: [{ name: 'film.mp4', bytes: 1000 }],
  };
  const sphere = {
    id: SPHERE_ID,
    name: 'Family',
    room: 'room-1@rooms.example.org',
    folder: '/home/ana/Spherecast/Family',
    partner: null,
    state: 'joined',
  };
  const add = ['account', 'add', 'Ana@Example.org', '--password-stdin'];
  expect(await json(add, 'secret\nmore')).toEqual({ account: { jid: 'ana@example.org', state: 'online' } });
  expect(await json(['status'])).toEqual({
    version: started.engine.version,
    pid: process.pid,
    url: started.engine.url,
    account: { jid: 'ana@example.org', state: 'online' },
    swarm: { state: 'running', port: 6881, downBps: 0, upBps: 0 },
  });
  expect(await json(['sphere', 'list'])).toEqual({ spheres: [sphere] });
  expect(await json(['sphere', 'members', 'Family'])).toEqual({
    members: [{ jid: 'ana@example.org', person: 'aa'.repeat(32), role: 'owner', devices: 1, state: 'joined' }],
  });
  expect(await json(['sphere', 'invitations'])).toEqual({ invitations: [] });
  expect(await json(['sphere', 'invite', SPHERE_ID, 'ben@example.org'])).toEqual({ ok: true, trouble: null });
  expect(await json(['sphere', 'role', 'Family', 'ben@example.org', 'admin'])).toEqual({ ok: true });
  expect(services.asked.at(-1)?.input).toEqual({ sphereId: SPHERE_ID, jid: 'ben@example.org', role: 'admin' });
  expect(await json(['sphere', 'owner', 'Family', 'keep'])).toEqual({ ok: true });
  expect(services.asked.at(-1)?.input).toEqual({ sphereId: SPHERE_ID, step: { kind: 'offer', jid: null } });
  expect(await json(['sphere', 'owner', 'Family', 'propose', 'ben@example.org'])).toEqual({ ok: true });
  expect(await json(['sphere', 'rename', 'Family', 'Winter'])).toEqual({ ok: true });
  expect(await json(['sphere', 'picture', 'Family', 'us.jpg'])).toEqual({ ok: true });
  expect(services.asked.at(-1)?.input).toEqual({ sphereId: SPHERE_ID, picture: { path: '/somewhere/us.jpg' } });
  expect(await json(['sphere', 'picture', 'Family'])).toEqual({ ok: true });
  expect(services.asked.at(-1)?.input).toEqual({ sphereId: SPHERE_ID, picture: null });
  expect(await json(['sphere', 'move', 'Family', '--service', 'rooms.example.net'])).toMatchObject({ sphere: {} });
  expect(services.asked.at(-1)?.input).toEqual({ sphereId: SPHERE_ID, server: 'rooms.example.net' });
  expect(await json(['sphere', 'move', 'Family'])).toMatchObject({ sphere: {} });
  expect(services.asked.at(-1)?.input).toEqual({ sphereId: SPHERE_ID, server: null });
  expect(await json(['sphere', 'forget', SPHERE_ID])).toEqual({ ok: true });
  expect(await json(['sphere', 'remove', 'Family', 'ben@example.org'])).toEqual({ ok: true });
  expect(await json(['share', 'Family', 'a.mp4', '/b', '--plain', '--wait'])).toEqual({ items: [item], leftOut: [] });
  expect(services.asked.at(-1)?.input).toEqual({
    sphereId: SPHERE_ID,
    paths: ['/somewhere/a.mp4', '/b'],
    plain: true,
    wait: true,
  });
  expect(await json(['items', 'Family'])).toEqual({ items: [listed] });
  expect(await json(['get', 'Family', 'film.mp4'])).toEqual({
    item: { ...listed, path: '/home/ana/Spherecast/Family/film.mp4' },
  });
  expect(await json(['url', 'Family', ITEM_ID, '0'])).toEqual({
    url: `${started.engine.origin}/media/${'ab'.repeat(16)}/0.mp4`,
  });
  expect(await json(['say', 'Family', 'hello –there'])).toEqual({ id: '1'.padStart(64, '0'), state: 'sent' });
  expect(await json(['messages', 'Family', '--limit', '5'])).toEqual({
    messages: [
      {
        id: '1'.padStart(64, '0'),
        from: 'ana@example.org',
        kind: 'text',
        text: 'hello –there',
        change: 'none',
        delivery: null,
        reactions: [],
        replyTo: null,
        atMs: 1_700_000_000_001,
        state: 'sent',
        failure: null,
        encrypted: true,
      },
    ],
  });
  expect(await json(['limit', '--down', '2000000'])).toEqual({ up: 0, down: 2_000_000 });
  expect(await json(['limit'])).toEqual({ up: 0, down: 2_000_000 });
  expect(await json(['limit', 'Family', '--up', '5000'])).toEqual({ up: 5_000, down: 0 });
  expect(services.asked.at(-1)).toMatchObject({ call: 'limitSphere', input: { sphereId: SPHERE_ID, up: 5_000 } });
  expect(await json(['limit', 'Family', 'film.mp4', '--down', '6000'])).toEqual({ up: 0, down: 6_000 });
  expect(services.asked.at(-1)).toMatchObject({ call: 'limitItem', input: { itemId: ITEM_ID, down: 6_000 } });
  expect([await json(['limit', 'Family']), await json(['limit', 'Family', 'film.mp4'])]).toEqual([
    { up: 0, down: 0 },
    { up: 0, down: 0 },
  ]);
  expect(await json(['pause'])).toEqual({ ok: true });
  expect(await json(['resume'])).toEqual({ ok: true });
  expect(await json(['pause', 'Family', 'film.mp4'])).toEqual({ ok: true });
  expect(await json(['resume', 'Family', 'film.mp4'])).toEqual({ ok: true });
  expect(await json(['remove', 'Family', 'film.mp4', '--delete-copy'])).toEqual({ ok: true, kept: 0 });
  expect(services.asked.at(-1)?.input).toEqual({
    sphereId: SPHERE_ID,
    itemId: ITEM_ID,
    copy: 'delete',
    forEverybody: false,
  });
  await json(['remove', 'Family', 'film.mp4', '--for-everybody']);
  expect(services.asked.at(-1)?.input).toMatchObject({ copy: 'keep', forEverybody: true });
  expect(await json(['restore', 'Family', 'film.mp4'])).toMatchObject({ item: { name: 'film.mp4' } });
  for (const [fate, call] of [
    ['share', 'shareVersion'],
    ['keep', 'keepEdited'],
  ] as const) {
    expect(await json(['edited', 'Family', 'film.mp4', fate])).toMatchObject({ item: { name: 'film.mp4' } });
    expect(services.asked.at(-1)).toMatchObject({ call, input: { itemId: ITEM_ID } });
  }
  expect(await json(['recheck', 'Family', 'film.mp4'])).toEqual({ item: listed, damaged: 0 });
  const opened = { item: listed, file: '/home/ana/f.torrent', endpoints: [] };
  expect(await json(['open', 'Family', 'film.mp4', '/home/ana'])).toEqual(opened);
  expect(await json(['close', 'Family', 'film.mp4'])).toEqual({ item: listed });
  expect(await json(['priority', 'Family', 'film.mp4', 'high'])).toEqual({ ok: true });
  expect(services.asked.at(-1)?.input).toEqual({ sphereId: SPHERE_ID, itemId: ITEM_ID, priority: 'high' });
  expect(await json(['holders', 'Family', 'film.mp4'])).toEqual({
    bytes: 1000,
    copies: 1,
    holders: [{ jid: 'ana@example.org', online: true, bytesHave: 500 }],
  });
  expect(await json(['settings', 'get', 'quiet.schedule.days'])).toEqual({
    settings: { 'quiet.schedule.days': [0, 1, 2, 3, 4, 5, 6] },
  });
  expect(await json(['settings', 'get'])).toMatchObject({ settings: { 'limits.up': 0, 'network.mapPorts': true } });
  expect(await json(['settings', 'set', 'quiet.on', 'true'])).toEqual({ settings: { 'quiet.on': false } });
  expect(services.asked.at(-1)?.input).toEqual({ quiet: { on: true } });
  expect(await json(['sync', '--wait'])).toEqual({ idle: true });
  expect(await json(['export', '--log', 'Family'])).toEqual({ events: [] });
  expect(await json(['account', 'remove'])).toEqual({ account: null });
  expect(await json(['sphere', 'create', 'Holidays'])).toMatchObject({ sphere: { name: 'Holidays' } });
});

test('an edited item is told with all of its files, as every other item', async () => {
  const pair = [...fakeItem('one').files, ...fakeItem('two').files];
  const { shareVersion, files } = services.items;
  onTestFinished(() => void Object.assign(services.items, { shareVersion, files }));
  const item = { ...fakeItem('album'), files: pair.slice(0, 1), fileCount: 2 };
  Object.assign(services.items, {
    shareVersion: async () => ({ item }),
    files: async ({ from }: { from: number }) => ({ files: pair.slice(from) }),
  });
  expect(await json(['edited', 'Family', 'film.mp4', 'share'])).toMatchObject({
    item: { files: [{ name: 'one' }, { name: 'two' }] },
  });
});

test('search tells where each line was found, and what is still to be read', async () => {
  const nothing = await run(['search', 'lake']);
  expect([nothing.code, nothing.stdout]).toEqual([
    0,
    'nothing found\nolder lines are still being read: ask again in a moment\n',
  ]);
  const messageId = parseEventId('1'.repeat(64));
  const who = { from: parseBareJid('ben@example.org'), fromName: 'Ben', mine: false, atMs: 1_700_000_000_001 };
  const found = { text: 'by the lake', marks: [{ from: 7, to: 11 }] };
  const place = { kind: 'sphere' as const, name: 'Family' };
  services.found = [{ sphereId: SPHERE_ID, place, messageId, itemId: null, ...who, ...found }];
  const text = await run(['search', 'the', 'lake', '--in', 'Family', '--limit', '5']);
  expect(text.stdout).toBe('2023-11-14T22:13:20.001Z Family ben@example.org: by the lake\n');
  expect(services.asked.at(-1)?.input).toEqual({ words: 'the lake', sphereId: SPHERE_ID, limit: 5 });
  const json = await run(['--json', 'search', 'lake']);
  const line = { sphereId: SPHERE_ID, place, messageId, itemId: null, from: who.from, atMs: who.atMs, ...found };
  expect(JSON.parse(json.stdout)).toEqual({ lines: [line], isWhole: true });
});

test.each([
  [[], 'usage'],
  [['search'], 'usage'],
  [['nonsense'], 'usage'],
  [['sphere'], 'usage'],
  [['sphere', 'invite', 'Family'], 'usage'],
  [['pause', 'Family'], 'usage'],
  [['settings', 'set', 'nonsense', '1'], 'usage'],
  [['settings', 'set', 'network.dataPort', 'many'], 'usage'],
  [['settings', 'set', 'inForce.up', '1'], 'usage'],
  [['items', 'Family', 'more'], 'usage'],
  [['share', 'Family', ''], 'usage'],
  [['share', 'Family'], 'usage'],
  [['share', '--to', 'ben@example.org'], 'usage'],
  [['status', '--wait'], 'usage'],
  [['status', '--nonsense'], 'usage'],
  [['status', '--json=yes'], 'usage'],
  [['limit', '--up'], 'usage'],
  [['limit', '--up', '-5'], 'usage'],
  [['limit', '--up', '5', '--up', '6'], 'usage'],
  [['status', '--timeout', 'soon'], 'usage'],
  [['status', '--timeout', '0'], 'usage'],
  [['account', 'add', 'ana@example.org'], 'usage'],
  [['account', 'add', 'ana@example.org', '--password-stdin'], 'usage'],
  [['messages', 'Family', '--limit', '0'], 'usage'],
  [['export'], 'usage'],
  [['constructor'], 'usage'],
  [['--__proto__', 'status'], 'usage'],
])('%j is refused as wrong use with exit code 2', async (line, code) => {
  const asJson = await run(['--json', ...line]);
  expect({ code: asJson.code, stderr: asJson.stderr }).toEqual({ code: 2, stderr: '' });
  expect(JSON.parse(asJson.stdout)).toEqual({ error: { code, message: expect.any(String) } });
  const asText = await run(line);
  expect({ code: asText.code, stdout: asText.stdout }).toEqual({ code: 2, stdout: '' });
  expect(asText.stderr).toMatch(/^spherecast: .+\n$/);
});

test('a person is told why signing in failed, not only that it did', async () => {
  const wrong = await run(['account', 'add', 'ana@example.org', '--password-stdin'], 'wrong\n');
  expect([wrong.code, wrong.stdout, wrong.stderr]).toEqual([1, '', expect.stringMatching(/ \(wrong-password\)\n$/)]);
});

test('failures of the engine are told with their code and exit code 1', async () => {
  const wrong = await run(['--json', 'account', 'add', 'ana@example.org', '--password-stdin'], 'wrong\n');
  expect([wrong.code, JSON.parse(wrong.stdout)]).toEqual([
    1,
    { error: { code: 'wrong-password', message: 'the server refused the password' } },
  ]);
  const malformed = await run(['--json', 'account', 'add', 'nobody', '--password-stdin'], 'x\n');
  expect([malformed.code, JSON.parse(malformed.stdout)]).toMatchObject([1, { error: { code: 'bad-input' } }]);
  const unknown = await run(['--json', 'items', 'Nowhere']);
  expect([unknown.code, JSON.parse(unknown.stdout)]).toMatchObject([1, { error: { code: 'not-found' } }]);
});

test('a name that two items have is refused, their ids are not', async () => {
  services.itemViews.push(fakeItem('film.mp4', parseItemId('18'.repeat(32))));
  const byName = await run(['--json', 'get', 'Family', 'film.mp4']);
  expect([byName.code, JSON.parse(byName.stdout)]).toMatchObject([1, { error: { code: 'conflict' } }]);
  expect((await run(['get', 'Family', '18'.repeat(32)])).code).toBe(0);
  services.itemViews.pop();
});

test('a command that waits too long ends with exit code 4', async () => {
  const late = await run(['--json', '--timeout', '0.2', 'get', 'Family', ITEM_ID, '--wait']);
  expect([late.code, JSON.parse(late.stdout)]).toEqual([
    4,
    { error: { code: 'timed-out', message: 'the time is over' } },
  ]);
});

test('without a running engine the exit code is 3, whatever lies in the profile', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'spherecast-cli-'));
  try {
    const none = await run(['--json', 'status'], '', path.join(folder, 'none'));
    expect([none.code, JSON.parse(none.stdout)]).toMatchObject([3, { error: { code: 'no-engine' } }]);
    expect(existsSync(path.join(folder, 'none'))).toBe(false);
    const stale = { pid: 999_999_999, startedAt: 1, url: 'http://127.0.0.1:1', token: 'x' };
    writeFileSync(path.join(folder, 'engine.json'), JSON.stringify(stale));
    expect((await run(['--json', 'status'], '', folder)).code).toBe(3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('people get words, and what others named cannot steer their terminal', async () => {
  services.itemViews.push(fakeItem('\u001b[2Jevil\u202e4pm.mp4', parseItemId('19'.repeat(32))));
  const { stdout } = await run(['items', 'Family']);
  services.itemViews.pop();
  expect([stdout.includes('\u001b'), stdout.includes('\u202e')]).toEqual([false, false]);
  expect(stdout).toContain('film.mp4');
  expect((await run(['--help'])).stdout).toContain('sphere invite S JID');
  expect((await run(['share', '--help'])).stdout).toContain('--wait');
  expect((await run(['--version'])).stdout).toBe(`${started.engine.version}\n`);
  expect(JSON.parse((await run(['--version', '--json'])).stdout)).toEqual({ version: started.engine.version });
});

test('serve opens the application by an address that works once and is not the one it prints', async () => {
  const profile = mkdtempSync(path.join(tmpdir(), 'spherecast-serve-'));
  const main = new URL('../../test/fixtures/fake-cli.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, '--json', 'serve', '--profile', profile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    let opened = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (opened += text));
    await expect.poll(() => opened, { timeout: 20_000 }).toMatch(/^opened .+\n$/m);
    const address = /^opened (.+)$/m.exec(opened)?.[1] ?? '';
    expect(address).not.toBe((JSON.parse(stdout) as { url: string }).url);
    expect((await fetch(address, { redirect: 'manual' })).status).toBe(302);
    expect((await fetch(address, { redirect: 'manual' })).status).toBe(401);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'close');
    rmSync(profile, { recursive: true, force: true });
  }
});

test('serve prints one line, serves, and ends with 0 on SIGTERM within five seconds', async () => {
  const profile = mkdtempSync(path.join(tmpdir(), 'spherecast-serve-'));
  const main = new URL('../../test/fixtures/fake-cli.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, '--json', 'serve', '--profile', profile, '--no-open'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    await once(child.stdout, 'data');
    const ready = JSON.parse(stdout) as { url: string; pid: number; version: string };
    expect(ready).toEqual({ url: expect.any(String), pid: child.pid, version: started.engine.version });
    expect((await fetch(ready.url, { redirect: 'manual' })).status).toBe(302);
    expect((await run(['--json', 'status'], '', profile)).code).toBe(0);
    const second = spawn(process.execPath, [main, '--json', 'serve', '--profile', profile]);
    const [secondCode] = (await once(second, 'close')) as [number];
    expect(secondCode).toBe(1);
    const before = performance.now();
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, lines: stdout.split('\n').length }).toEqual({ code: 0, lines: 2 });
    expect(performance.now() - before).toBeLessThan(5000);
    expect(existsSync(path.join(profile, 'engine.json'))).toBe(false);
    expect((await run(['--json', 'status'], '', profile)).code).toBe(3);
  } finally {
    child.kill('SIGKILL');
    rmSync(profile, { recursive: true, force: true });
  }
});

test('what was left out of a shared folder is told, and its names steer no terminal', async () => {
  const names = ['a', 'b\u001b[2J'];
  services.leftOut = [{ itemId: ITEM_ID, reason: 'link', count: 12, names }];
  const { stdout } = await run(['share', 'Family', 'album']);
  expect(stdout).toContain('not shared: symbolic links (12): a, b\ufffd[2J, …');
  expect(await json(['share', 'Family', 'album'])).toMatchObject({ leftOut: [{ reason: 'link', count: 12, names }] });
  services.leftOut = [];
});

test('status without an account says what to do, and nothing of sharing', async () => {
  services.accountView = null;
  const { stdout } = await run(['status']);
  expect(stdout).toContain('account  none');
  expect(stdout).not.toContain('sharing');
});

test('what is no address of anybody is not said to have no devices', async () => {
  const { code, stdout } = await run(['person', 'devices', 'ben@']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});
