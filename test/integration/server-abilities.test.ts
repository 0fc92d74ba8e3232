import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ServerFacts } from '../../src/contract/doctor.ts';
import type { ServerAbility } from '../../src/contract/server-abilities.ts';
import { askServer } from '../../src/engine/doctor/ask-server.ts';
import { parseBareJid } from '../../src/base/id.ts';
import { Room } from '../../src/xmpp/room.ts';
import type { SrvResolver } from '../../src/xmpp/server-address.ts';
import { sweepTrialRooms } from '../../src/xmpp/trial-room.ts';
import { publishDeviceList } from '../../src/xmpp/xep/0384-omemo.ts';
import { memoryNote } from '../fixtures/memory-note.ts';
import { type Prosody, type ProsodyOptions, startProsody } from '../fixtures/prosody.ts';
import { machine, never, signIn } from '../fixtures/xmpp-accounts.ts';

/** What the check says of a server like this. */
async function examine(server: Prosody, resolver: SrvResolver): Promise<ServerFacts> {
  const client = await signIn(server, 'romeo');
  await publishDeviceList(client, [1]);
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
