import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { ServerFacts } from '../../src/contract/doctor.ts';
import { ABILITY_NAMES, linesToAdd, type ServerAbility } from '../../src/contract/server-abilities.ts';
import { askServer } from '../../src/engine/doctor/ask-server.ts';
import { registerAccount } from '../../src/xmpp/register.ts';
import { parseBareJid } from '../../src/base/id.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import { Room } from '../../src/xmpp/room.ts';
import type { SrvResolver } from '../../src/xmpp/server-address.ts';
import { sweepTrialRooms } from '../../src/xmpp/trial-room.ts';
import { changePassword, removeOwnAccount } from '../../src/xmpp/xep/0077-own-account.ts';
import { askExternalServices } from '../../src/xmpp/xep/0215-external-services.ts';
import { publishDeviceList } from '../../src/xmpp/xep/0384-omemo.ts';
import { hasEjabberd, startEjabberd } from '../fixtures/ejabberd.ts';
import { freePort } from '../fixtures/free-port.ts';
import { memoryNote } from '../fixtures/memory-note.ts';
import { type Prosody, type ProsodyOptions, startProsody } from '../fixtures/prosody.ts';
import { codeOf, loginAt, machine, never, signIn } from '../fixtures/xmpp-accounts.ts';
import type { XmppServer } from '../fixtures/xmpp-server.ts';

/** What the check says of a server like this. */
async function examine(server: XmppServer, resolver: SrvResolver): Promise<ServerFacts> {
  const client = await signIn(server, 'romeo');
  // A server without personal nodes has no place for it.
  await publishDeviceList(client, [1]).catch(() => undefined);
  const note = memoryNote();
  const facts = await askServer({ ...machine, client, named: null, note, resolver }, never);
  expect(note.read()).toEqual([]);
  if (facts === null) throw new Error('there was no connection');
  return facts;
}

const start = (options: ProsodyOptions): Promise<Prosody> => startProsody({ ...options, users: { romeo: 'pw' } });
const missing = ({ abilities }: ServerFacts): ServerAbility[] =>
  abilities.flatMap(({ name, has }) => (has === true ? [] : [name]));
const direct: SrvResolver = async (name) =>
  name.startsWith('_xmpps-client') ? [{ name: 'a.test', port: 5223, priority: 0, weight: 0 }] : [];

test('a server with everything passes, and the trial room is gone afterwards', async () => {
  await using server = await start({});
  const facts = await examine(server, direct);
  // Prosody 0.12 binds no TLS 1.3, and this one names no relay.
  expect(missing(facts)).toEqual(['channel-binding', 'starttls-record', 'relays']);
  expect(facts).toMatchObject({ software: 'Prosody', tls: 'TLSv1.3', resumes: true });
  expect(await server.log()).toContain('trial-');
  const left = await readdir(server.dataDir, { recursive: true });
  expect(left.filter((path) => path.includes('trial'))).toEqual([]);
});

test('the room of a check that was killed is removed by the next session, and what is gone is forgotten', async () => {
  await using server = await start({});
  const client = await signIn(server, 'romeo');
  const address = parseBareJid(`trial-0123456789abcdef@${server.mucDomain}`);
  const room = new Room({ ...machine, client, address, nick: 'trial' });
  await room.create(never);
  await room[Symbol.asyncDispose]();
  const trials = async (): Promise<string[]> =>
    (await readdir(server.dataDir, { recursive: true })).filter((path) => path.includes('trial'));
  expect(await trials()).not.toEqual([]);
  const note = memoryNote([address, parseBareJid(`trial-gone@${server.mucDomain}`)]);
  await sweepTrialRooms({ client, note });
  expect(note.read()).toEqual([]);
  expect(await trials()).toEqual([]);
});

test('what is switched off fails, and the rest passes', async () => {
  const off = ['blocklist', 'carbons', 'mam', 'muc_mam', 'register', 'smacks', 'time'];
  await using server = await start({ withoutModules: off });
  expect(missing(await examine(server, direct))).toEqual([
    'channel-binding',
    'starttls-record',
    'resumption',
    'archive',
    'carbons',
    'room-archive',
    'blocking',
    'relays',
    'account-changes',
    'time',
  ]);
});

test('a server that lets nobody make rooms, and has no records, is told apart from one without rooms', async () => {
  await using server = await start({ mucLines: 'restrict_room_creation = true' });
  const { abilities } = await examine(server, () => Promise.reject(new Error('no such record')));
  const has = (wanted: ServerAbility) => abilities.find(({ name }) => name === wanted)?.has;
  expect([has('rooms'), has('closed-rooms'), has('room-archive')]).toEqual([true, false, null]);
  expect([has('starttls-record'), has('direct-tls-record')]).toEqual([false, false]);
});

/** What the check prints for Prosody, put where it says: a module into the list, any other line as it stands. */
function added(line: string): { readonly modules: string[]; readonly globalLines: string } {
  const parts = line
    .split('\n')
    .map((part) => ({ part, module: /^"(\w+)"; -- into modules_enabled$/.exec(part)?.[1] }));
  return {
    modules: parts.flatMap(({ module }) => module ?? []),
    globalLines: parts.flatMap(({ part, module }) => (module === undefined ? [part] : [])).join('\n'),
  };
}

describe('what the check of the server prints, put into the configuration, mends what failed:', () => {
  /** Each ability with what is left out of the configuration so that it fails. */
  const OFF: Partial<Record<ServerAbility, string>> = {
    resumption: 'smacks',
    archive: 'mam',
    carbons: 'carbons',
    blocking: 'blocklist',
    'account-changes': 'register',
    time: 'time',
    relays: 'turn_external',
    'personal-nodes': 'pep',
    'publish-options': 'pep',
    'open-keys': 'pep',
  };
  const LEAN_ON_PEP = ['bookmarks', 'vcard4', 'vcard_legacy'];
  const names = Object.keys(OFF) as ServerAbility[];

  test('the modules of Prosody', async () => {
    const modules = [...new Set(Object.values(OFF))];
    const withoutModules = [...modules, ...LEAN_ON_PEP];
    await using bare = await start({ withoutModules });
    const before = missing(await examine(bare, direct));
    expect(before).toEqual(expect.arrayContaining(names));
    const lines = names.map((name) => added(linesToAdd(name, bare.domain).prosody ?? ''));
    const addedModules = [...new Set(lines.flatMap((line) => line.modules))];
    expect(addedModules).toEqual(modules);
    const globalLines = lines.map((line) => line.globalLines).join('\n');
    await using mended = await start({ withoutModules, addedModules, globalLines });
    const after = missing(await examine(mended, direct));
    expect(after).toEqual(before.filter((name) => !names.includes(name)));
  });

  test('the rooms of Prosody, their archive, and its nodes', async () => {
    await using bare = await start({ withoutMuc: true });
    const rooms: ServerAbility[] = ['rooms', 'closed-rooms', 'room-archive'];
    const before = missing(await examine(bare, direct));
    expect(before).toEqual(expect.arrayContaining(rooms));
    for (const [name, mends] of [
      ['rooms', ['rooms']],
      ['closed-rooms', ['rooms', 'closed-rooms']],
      ['room-archive', rooms],
    ] as const) {
      await using mended = await start({ withoutMuc: true, lastLines: linesToAdd(name, bare.domain).prosody ?? '' });
      const after = missing(await examine(mended, direct));
      expect(after.filter((one) => (mends as readonly ServerAbility[]).includes(one))).toEqual([]);
    }
  });

  test.skipIf(!hasEjabberd())('the modules of ejabberd, all at once', async () => {
    const withoutModules = [
      ...['mod_blocking', 'mod_caps', 'mod_carboncopy', 'mod_client_state', 'mod_mam', 'mod_muc', 'mod_privacy'],
      ...['mod_pubsub', 'mod_register', 'mod_stream_mgmt', 'mod_time'],
    ];
    const names = ABILITY_NAMES.filter((name) => !UNTRIED.includes(name));
    const start = (addedLines: readonly string[]): ReturnType<typeof startEjabberd> =>
      startEjabberd({ withoutModules, addedLines, users: { romeo: 'pw' } });
    await using bare = await start([]);
    const before = missing(await examine(bare, direct));
    expect(before).toEqual(expect.arrayContaining(names));
    const lines = names.flatMap((name) => linesToAdd(name, bare.domain).ejabberd?.split('\n') ?? []);
    const port = await freePort();
    const filled = lines.map((line) => line.replace('3478', String(port)).replace('"…"', '"203.0.113.7"'));
    await using mended = await start(filled);
    expect(missing(await examine(mended, direct))).toEqual(before.filter((name) => !names.includes(name)));
    await relaysAreNamed(mended);
    await onlyOwnAccountChanges(mended);
  });

  /** What lies in the connection and the records, and is there whatever the modules are. */
  const UNTRIED: readonly ServerAbility[] = [
    'encryption',
    'scram',
    'channel-binding',
    'starttls-record',
    'direct-tls-record',
  ];

  async function relaysAreNamed(server: XmppServer): Promise<void> {
    const client = await signIn(server, 'romeo');
    const named = (await askExternalServices(client, never)).map(({ type, host }) => `${type} at ${host}`);
    expect(named).toEqual(expect.arrayContaining(['turn at 203.0.113.7']));
  }

  /** The password is changed and the account deleted; a stranger gets none from a line that we told somebody to add. */
  async function onlyOwnAccountChanges(server: XmppServer): Promise<void> {
    const stranger = await loginAt(server, 'stranger', 'pw');
    expect(await codeOf(registerAccount(stranger, machine, never))).toBe('registration-refused');
    const client = await signIn(server, 'romeo');
    await changePassword(client, 'another', never);
    const login = await loginAt(server, 'romeo', 'another');
    await using again = new XmppClient({ ...machine, login });
    await again.connect(never);
    await removeOwnAccount(again, never);
    await using gone = new XmppClient({ ...machine, login });
    expect(await codeOf(gone.connect(never))).toBe('wrong-password');
  }
});
