import { createServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { createServicesFrom } from '../../src/engine/create-services.ts';
import { startEngine } from '../../src/engine/start-engine.ts';
import { Omemo } from '../../src/omemo/omemo.ts';
import { loadSignal } from '../../src/omemo/signal.ts';
import type { CommandResult } from '../fixtures/engine-process.ts';
import { EngineProcess, runCommand } from '../fixtures/engine-process.ts';
import { FAKE_DOMAIN } from '../fixtures/fake-xmpp-server.ts';
import { FakeXmppWorld } from '../fixtures/fake-xmpp-world.ts';
import type { Prosody, ProsodyOptions } from '../fixtures/prosody.ts';
import { freePort } from '../fixtures/free-port.ts';
import { startProsody } from '../fixtures/prosody.ts';
import { connect } from '../fixtures/test-engine.ts';
import { codeOf } from '../fixtures/xmpp-accounts.ts';

const PASSWORD = 'right-9f2c41d7';

let server: Prosody;
let engine: EngineProcess;

beforeAll(async () => {
  [server, engine] = await Promise.all([
    startProsody({ users: { romeo: PASSWORD } }),
    EngineProcess.start({ address: '127.0.0.2' }),
  ]);
});

afterAll(async () => {
  await Promise.all([engine[Symbol.asyncDispose](), server.stop()]);
});

interface SignIn {
  readonly user?: string;
  readonly domain?: string;
  readonly password?: string;
  readonly at?: Pick<Prosody, 'domain' | 'host' | 'c2sPort' | 'caFile'>;
  readonly port?: number;
  readonly more?: readonly string[];
}

/** Signs in by the command line; nothing is thrown. */
function signIn({
  user = 'romeo',
  domain,
  password = PASSWORD,
  at = server,
  port,
  more,
}: SignIn): Promise<CommandResult> {
  const jid = `${user}@${domain ?? at.domain}`;
  const where = ['--server', `${at.host}:${port ?? at.c2sPort}`];
  const args = ['--json', 'account', 'add', jid, '--password-stdin', ...where, ...(more ?? ['--ca', at.caFile])];
  return runCommand(engine.profile, args, `${password}\n`);
}

/** What a script sees of a failure. */
function seen({ code, stdout }: CommandResult): { exit: number; code: string | undefined } {
  return { exit: code, code: (JSON.parse(stdout) as { error?: { code: string } }).error?.code };
}

const accountOf = async (): Promise<unknown> => (await engine.command<{ account: unknown }>(['status'])).account;

async function withServer<T>(options: ProsodyOptions, use: (server: Prosody) => Promise<T>): Promise<T> {
  await using other = await startProsody({ users: { romeo: PASSWORD }, ...options });
  return await use(other);
}

test('what needs an account says so while nobody is signed in', async () => {
  const asked: readonly (readonly string[])[] = [
    ...['list', 'invitations'].map((name) => ['sphere', name]),
    ['sphere', 'members', 'x'],
    ['sphere', 'create', 'x'],
    ['items', 'x'],
    ['share', 'x', join(tmpdir(), 'x')],
    ['get', 'x', 'y'],
    ['say', 'x', 'hello'],
    ['messages', 'x'],
    ['search', 'hello'],
    ['person', 'list'],
  ];
  const codes = await Promise.all(
    asked.map(async (args) => [args.join(' '), seen(await runCommand(engine.profile, ['--json', ...args])).code]),
  );
  expect(codes).toEqual(asked.map((args) => [args.join(' '), 'no-account']));
});

describe('signing in is refused with', () => {
  test('wrong-password for a wrong password and for an account that does not exist', async () => {
    expect(seen(await signIn({ password: 'wrong' }))).toEqual({ exit: 1, code: 'wrong-password' });
    expect(seen(await signIn({ user: 'nobody' }))).toEqual({ exit: 1, code: 'wrong-password' });
    expect(await accountOf()).toBeNull();
  });

  test('server-unreachable when nothing listens there', async () => {
    expect(seen(await signIn({ port: await freePort() }))).toEqual({ exit: 1, code: 'server-unreachable' });
  });

  test('bad-certificate when the authority is not trusted, and nothing was told to a server of another domain', async () => {
    expect(seen(await signIn({ more: [] }))).toEqual({ exit: 1, code: 'bad-certificate' });
    expect(seen(await signIn({ domain: 'elsewhere.test' }))).toEqual({ exit: 1, code: 'server-unreachable' });
    expect(await server.log()).not.toContain(PASSWORD);
  });

  test('server-lacks-rooms and server-lacks-pep when the server cannot carry spheres', async () => {
    const answers = await Promise.all([
      withServer({ withoutMuc: true }, (at) => signIn({ at })),
      withServer({ withoutPep: true }, (at) => signIn({ at })),
    ]);
    expect(answers.map(seen)).toEqual([
      { exit: 1, code: 'server-lacks-rooms' },
      { exit: 1, code: 'server-lacks-pep' },
    ]);
    expect(await accountOf()).toBeNull();
  });

  test('a time-out when the server says nothing, and wrong use without a password', async () => {
    const port = await freePort();
    const mute = createServer((socket) => socket.on('error', () => undefined)).listen(port, '127.0.0.1');
    const late = await signIn({ port, more: ['--ca', server.caFile, '--timeout', '2'] });
    mute.close();
    expect(seen(late)).toEqual({ exit: 4, code: 'timed-out' });
    expect(seen(await signIn({ password: '' }))).toEqual({ exit: 2, code: 'usage' });
    const nowhere = await runCommand(join(tmpdir(), 'spherecast-no-such-profile'), ['--json', 'status']);
    expect(seen(nowhere)).toEqual({ exit: 3, code: 'no-engine' });
  });
});

describe('creating an account', () => {
  const register = (at: Prosody, user: string): Promise<CommandResult> =>
    signIn({ at, user, password: 'fresh', more: ['--ca', at.caFile, '--register'] });

  test('tells a taken name from a server that registers nobody', async () => {
    expect(seen(await register(server, 'romeo'))).toEqual({ exit: 1, code: 'name-taken' });
    const refused = await withServer({ registration: false }, (at) => register(at, 'juliet'));
    expect(seen(refused)).toEqual({ exit: 1, code: 'registration-refused' });
    expect(await accountOf()).toBeNull();
  });

  test('prints the web page of a server that makes accounts there, and tells that server no password', async () => {
    await using world = await FakeXmppWorld.open();
    const page = "<x xmlns='jabber:x:oob'><url>https://a.test/join</url></x>";
    const answer = (_: string, id: string): string =>
      `<iq type='result' id='${id}'><query xmlns='jabber:iq:register'>${page}</query></iq>`;
    const elsewhere = await world.serve({ answer });
    const more = ['--ca', world.ca.certFile, '--register'];
    const at = { domain: FAKE_DOMAIN, host: elsewhere.host, c2sPort: elsewhere.port, caFile: world.ca.certFile };
    const told = await signIn({ at, password: 'fresh', more });
    expect(JSON.parse(told.stdout)).toEqual({
      error: {
        code: 'registration-elsewhere',
        message: 'the server makes accounts on its web page: https://a.test/join',
      },
    });
    expect(elsewhere.secureBytes()).toContain('jabber:iq:register');
    expect(elsewhere.secureBytes()).not.toMatch(/fresh|romeo/);
  });

  test('signs in with a free name; signing out lets another account in', async () => {
    const made = await register(server, 'juliet');
    expect(made).toMatchObject({ code: 0 });
    expect(JSON.parse(made.stdout)).toEqual({ account: { jid: `juliet@${server.domain}`, state: 'online' } });
    expect(seen(await signIn({}))).toEqual({ exit: 1, code: 'account-exists' });
    expect(await engine.command(['account', 'remove'])).toEqual({ account: null });
    expect(await accountOf()).toBeNull();
    expect(await signIn({})).toMatchObject({ code: 0 });
    expect(await accountOf()).toEqual({ jid: `romeo@${server.domain}`, state: 'online' });
  });
});

test('a library that accepts tampered messages keeps the account from coming online', async () => {
  const profile = await mkdtemp(join(tmpdir(), 'spherecast-unsafe-'));
  const createServices = createServicesFrom({
    openOmemo: async (deps) => {
      const signal = await loadSignal({ random: systemRandom, packageName: 'libsignal-protocol-unsafe' });
      return Omemo.open({ ...deps, signal });
    },
    swarmEntry: new URL('../../src/swarm/main.ts', import.meta.url),
    mediaEntry: new URL('../../src/media/main.ts', import.meta.url),
  });
  try {
    await using unsafe = await startEngine({ profile, createServices, secretStores: [] });
    const { client, socket } = await connect(unsafe);
    const jid = parseBareJid(`romeo@${server.domain}`);
    const { host, c2sPort, caFile } = server;
    const input = { jid, password: PASSWORD, register: false, server: `${host}:${c2sPort}`, caFile };
    const failed = client.account.signIn(input).catch((error: { data: { code: string } }) => error.data.code);
    expect(await failed).toBe('encryption-unsafe');
    expect((await client.system.snapshot()).account).toBeNull();
    expect(await codeOf(loadSignal({ random: systemRandom }))).toBe('no error');
    socket.close();
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  }
});
