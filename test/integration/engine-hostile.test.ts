import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toUtf8 } from '../../src/base/bytes.ts';
import type { EventId, InfoHash } from '../../src/base/id.ts';
import { parseBareJid } from '../../src/base/id.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import { encodeCanonical } from '../../src/spheres/protocol/canonical-json.ts';
import type { EnvelopeEntry } from '../../src/spheres/protocol/envelope.ts';
import { entryOf } from '../../src/spheres/protocol/envelope.ts';
import type { EpochSecrets } from '../../src/spheres/protocol/epoch.ts';
import type { SignedEvent } from '../../src/spheres/protocol/event.ts';
import { buildEvent } from '../../src/spheres/protocol/event.ts';
import { sha256Hex, signFor } from '../../src/spheres/protocol/keys.ts';
import { unwrapMediaKey } from '../../src/spheres/protocol/media-key.ts';
import type { Sphere } from '../../src/spheres/sphere.ts';
import { trackerHash } from '../../src/torrent/tracker.ts';
import { xml } from '../../src/xmpp/element.ts';
import { Room } from '../../src/xmpp/room.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { PlantedDevice } from '../fixtures/planted-device.ts';
import { RawMember } from '../fixtures/raw-member.ts';
import { codeOf } from '../fixtures/xmpp-accounts.ts';
import { announceFrom, dialRaw, handshake } from './raw-peer.ts';

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

let world: EngineWorld;
let anna: Person;
let ben: Person;

beforeAll(async () => {
  const users = { carl: passwordOf('carl'), gwen: passwordOf('gwen') };
  world = await EngineWorld.start(['anna', 'ben'], { users });
  [anna, ben] = [world.person('anna'), world.person('ben')];
});

afterAll(async () => await world[Symbol.asyncDispose]());

async function share(sphere: string, name: string): Promise<{ item: string; content: Buffer }> {
  const content = randomBytes(100_000);
  await writeFile(join(world.folder, name), content);
  const item = await anna.share(sphere, join(world.folder, name));
  return { item, content };
}

const roomOf = async (sphere: string): Promise<ReturnType<typeof parseBareJid>> =>
  parseBareJid((await anna.spheres()).find(({ id }) => id === sphere)?.room ?? '');

describe('a device that the server puts into a member\u2019s list', () => {
  test('before the member has joined, reads lines at most: no key, no history, no bytes', async () => {
    const { id: sphere } = await anna.create('Watched');
    await anna.say(sphere, 'said before anybody was invited');
    await anna.invite(sphere, ben.jid);
    const invitation = await ben.invitation('Watched');
    await using planted = await PlantedDevice.plant(world.prosody, 'ben');
    await anna.say(sphere, 'said before ben came');
    await share(sphere, 'planted.bin');
    await ben.join(invitation);
    await eventually('anna knows', async () =>
      (await anna.members(sphere)).some(({ jid, state }) => jid === ben.jid && state === 'joined') ? true : undefined,
    );
    const { item, content } = await share(sphere, 'planted-2.bin');
    await anna.say(sphere, 'said when ben was there');
    await ben.item(sphere, item);
    expect(await readFile(await ben.get(sphere, item))).toEqual(content);
    await ben.sees(sphere, 'said when ben was there');

    const { read, messages } = await planted.overhear(await roomOf(sphere));
    expect(messages).toBeGreaterThan(read.length);
    const texts = read.map(({ text }) => text);
    expect(texts).toContain('said when ben was there');
    expect(texts).not.toContain('said before anybody was invited');
    const types = read.flatMap(({ entries }) => entries.map(({ bytes }) => typeOf(bytes)));
    expect(types).not.toContain('epoch');
    const kinds = read.flatMap(({ entries }) => entries.flatMap(({ attachments }) => attachments.map((a) => a.kind)));
    expect(kinds).not.toContain('epoch-key');
    expect(kinds).not.toContain('invite-secret');
    const keys = read.flatMap(({ entries }) =>
      entries.flatMap(({ attachments }) => attachments.filter(({ kind }) => kind === 'media-key')),
    );
    // Wrapped under an epoch whose key went to certified devices only: 12 + 32 + 16 bytes that open nothing.
    for (const { bytes } of keys) expect(bytes).toHaveLength(60);
  });

  test('after the member has joined, reads not even lines', async () => {
    const sphere = await world.sphere('Watched later', anna, ben);
    await using planted = await PlantedDevice.plant(world.prosody, 'ben');
    await anna.say(sphere, 'for ben alone');
    await ben.say(sphere, 'for anna alone');
    await Promise.all([ben.sees(sphere, 'for ben alone'), anna.sees(sphere, 'for anna alone')]);
    const { item, content } = await share(sphere, 'later.bin');
    await ben.item(sphere, item);
    expect(await readFile(await ben.get(sphere, item))).toEqual(content);
    const { read, messages } = await planted.overhear(await roomOf(sphere));
    expect(messages).toBeGreaterThan(5);
    expect(read).toEqual([]);
  });
});

test('devices that the server puts into both lists read nothing that is said to somebody compared', async () => {
  const sphere = await world.sphere('Compared', anna, ben);
  const person = (await anna.members(sphere)).find(({ jid }) => jid === ben.jid)?.person;
  if (person === undefined || person === null) throw new Error('ben has not joined');
  const jid = parseBareJid(ben.jid);
  const { conversationId } = (await anna.ask((client) => client.people.open({ jid }))).person;
  await using hers = await PlantedDevice.plant(world.prosody, 'anna');
  await using his = await PlantedDevice.plant(world.prosody, 'ben');
  const planted = [hers, his];
  const readBy = async (device: PlantedDevice): Promise<(string | null)[]> =>
    (await device.overhearMail()).read.flatMap(({ text }) => (text?.includes('compared') === true ? [text] : []));
  const say = async (text: string): Promise<void> => {
    await anna.say(conversationId, text);
    await eventually(`ben reads: ${text}`, async () => {
      const { people } = await ben.ask((client) => client.people.list());
      return people.some(({ lastLine }) => lastLine === text) ? true : undefined;
    });
  };
  await say('before we compared');
  for (const device of planted) expect(await readBy(device)).toEqual(['before we compared']);
  await anna.ask((client) => client.people.verify({ person, jid, isSame: true }));
  await say('when we had compared');
  // Nor does a new sphere make her vouch for what the server has put there.
  await anna.create('Founded with a device in the list');
  await say('still compared');
  for (const device of planted) {
    const { messages, read } = await device.overhearMail();
    expect(messages).toBeGreaterThan(1);
    expect(read).toEqual([]);
  }
});

const typeOf = (bytes: Uint8Array): string => (JSON.parse(Buffer.from(bytes).toString()) as { type: string }).type;

describe('a member who forges', () => {
  test('events of others, lines that were not signed and messages of other spheres is shown as forging', async () => {
    const id = await world.sphere('Quarrel', anna, ben);
    await using carl = await RawMember.start(world.prosody, 'carl');
    await anna.invite(id, carl.session.own);
    await carl.join('Quarrel');
    const sphere = carl.sphere(id);
    await ben.say(id, 'the truth');
    await anna.sees(id, 'the truth');

    const debt = 'I owe carl a boat';
    await carl.send(sphere, [inNameOf(sphere, carl, ben.jid, 'message', messageBody(debt))], debt);
    await eventually('the forgery is shown', async () => ((await forged(anna, id)) === 1 ? true : undefined));
    const own = ownMessage(sphere, carl, 'what was signed');
    await carl.send(sphere, [entryOf(own)], 'what is shown');
    await eventually('the second forgery', async () => ((await forged(anna, id)) === 2 ? true : undefined));

    await carl.send(sphere, [inNameOf(sphere, carl, ben.jid, 'item', ITEM)], '📽 gift.mp4 · 1 GB');
    await eventually('the third forgery', async () => ((await forged(anna, id)) === 3 ? true : undefined));
    expect(await anna.items(id)).toEqual([]);

    await carl.session.messages.say(sphere.id, 'carl himself');
    await anna.sees(id, 'carl himself');
    // The same by hand and honestly is taken: the forgeries were refused for what they were.
    await carl.send(sphere, [inNameOf(sphere, carl, carl.session.own, 'message', messageBody('by hand'))], 'by hand');
    await anna.sees(id, 'by hand');
    const lines = (await anna.messages(id)).filter(({ kind }) => kind === 'text');
    const genuine = lines.filter(({ state }) => state === 'received').map(({ text, from }) => [from, text]);
    expect(genuine).toEqual([
      [ben.jid, 'the truth'],
      [carl.session.own, 'carl himself'],
      [carl.session.own, 'by hand'],
    ]);
    // Nothing of what was forged is shown.
    expect(lines.filter(({ state }) => state === 'forged').map(({ text }) => text)).toEqual(['', '', '']);
    expect((await anna.log(id)).filter(({ type }) => type === 'item')).toEqual([]);
  });

  test('replaying archived messages into the same or another sphere changes nothing', async () => {
    const first = await world.sphere('First', anna, ben);
    const second = await world.sphere('Second', anna, ben);
    await using carl = await RawMember.start(world.prosody, 'carl');
    for (const [id, name] of [
      [first, 'First'],
      [second, 'Second'],
    ] as const) {
      await anna.invite(id, carl.session.own);
      await carl.join(name);
    }
    await ben.say(first, 'pay the plumber');
    await carl.sees(first, 'pay the plumber');
    await carl.session.messages.say(carl.sphere(first).id, 'carl said this once');
    await anna.sees(first, 'pay the plumber');
    await anna.sees(first, 'carl said this once');

    const before = await anna.log(second);
    await replay(carl, carl.sphere(first), carl.sphere(second));
    await replay(carl, carl.sphere(first), carl.sphere(first));
    for (const id of [first, second]) {
      await carl.session.messages.say(carl.sphere(id).id, 'end of the replay');
      await anna.sees(id, 'end of the replay');
    }
    const texts = (await anna.messages(first)).filter(({ kind }) => kind === 'text').map(({ text }) => text);
    expect(texts.filter((text) => text !== '')).toEqual([
      'pay the plumber',
      'carl said this once',
      'end of the replay',
    ]);
    expect((await anna.texts(second)).filter((text) => text !== '')).toEqual(['end of the replay']);
    expect((await anna.log(second)).length).toBe(before.length + 1);
  });
});

/** Sends the newest stanzas of one room's archive again, as they are, into a room. */
async function replay(carl: RawMember, from: Sphere, to: Sphere): Promise<void> {
  const { client } = carl.session;
  const nick = 'again';
  await using room = new Room({ client, address: from.row.room, nick, clock: systemClock, log: silentLogger });
  for await (const { stanza } of room.history(null, soon())) {
    const parts = ['encrypted', 'sealed', 'encryption', 'store', 'body'].flatMap((name) => stanza.getChildren(name));
    const again = xml('message', { to: to.row.room, type: 'groupchat', id: client.newId() }, parts);
    await client.send(again);
  }
}

async function forged(person: Person, sphere: string): Promise<number> {
  return (await person.messages(sphere)).filter(({ state }) => state === 'forged').length;
}

function header(sphere: Sphere, device = sphere.device) {
  return sphere.log.nextHeader(device, Date.now());
}

const messageBody = (text: string) => ({ textSha256: sha256Hex(toUtf8(text)), replyTo: null });

/** Genuine but for the line that will be shown with it. */
function ownMessage(sphere: Sphere, { identity }: RawMember, text: string): SignedEvent {
  return buildEvent(identity.author, header(sphere), 'message', messageBody(text)) as SignedEvent;
}

/** Names another member and their device as author, signed by the forger's own key. */
function inNameOf(sphere: Sphere, { identity }: RawMember, jid: string, type: string, body: object): EnvelopeEntry {
  const device = [...sphere.state.devices.values()].find((one) => one.jid === jid)?.device;
  const person = sphere.state.members.get(parseBareJid(jid))?.person;
  if (device === undefined || person === undefined || person === null) throw new Error('the victim is no member');
  const bytes = encodeCanonical({ v: 1, ...header(sphere, device), person, device, type, body: body as never });
  return { bytes, signature: signFor('event', identity.author.device, bytes), attachments: [] };
}

const ITEM = {
  name: 'gift.mp4',
  infoHash: 'ab'.repeat(20),
  bytes: 1000,
  fileCount: 1,
  pieceLength: 262_144,
  metainfoBytes: 300,
  metainfoSha256: 'ab'.repeat(32),
  manifest: { offset: 1008, length: 100, sha256: 'ab'.repeat(32) },
  plain: true,
  keyCheck: null,
  epoch: null,
  media: { kind: 'video', type: 'video/mp4', width: null, height: null, durationMs: null },
  thumbhash: null,
  previewSha256: null,
  replaces: null,
};

describe('a removed member who keeps every key and goes on', () => {
  test('is refused at the data port and by the tracker, and opens nothing of what follows', async () => {
    const id = await world.sphere('Keys kept', anna, ben);
    await using carl = await RawMember.start(world.prosody, 'carl');
    await using gwen = await RawMember.start(world.prosody, 'gwen');
    for (const one of [carl, gwen]) {
      await anna.invite(id, one.session.own);
      await one.join('Keys kept');
    }
    const infoHashOf = async (item: string) =>
      ((await anna.log(id)).find((event) => event.id === item)?.body as { infoHash: InfoHash; keyCheck: string }) ?? {};
    const first = await infoHashOf((await share(id, 'kept-1.bin')).item);
    const sphere = carl.sphere(id);
    const device = [...sphere.state.devices.values()].find(({ jid }) => jid === anna.jid)?.device;
    const [epoch] = sphere.epochs;
    if (device === undefined || epoch === undefined) throw new Error('carl has no key');
    const { id: key, privateKey } = carl.identity.device;
    const pkcs8 = new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }));
    const who = { device: { key, privateKey: pkcs8 }, sphereId: sphere.id, epoch: epoch.secrets, listed: [device] };
    const { swarm } = await anna.run<{ swarm: { port: number } }>('status');
    const dial = (infoHash: InfoHash, purpose: 'swarm' | 'metainfo' = 'swarm') =>
      dialRaw(`${anna.address}:${swarm.port}`, who, { infoHash, purpose });
    const tracker = await eventually('where the tracker is', () =>
      Promise.resolve(carl.feed.heard.findLast((said) => said.device === device)?.trackers[0]),
    );
    const announce = (infoHash: InfoHash) =>
      announceFrom(new Agent({ localAddress: '127.0.0.9' }), tracker, trackerHash(epoch.secrets.tracker, infoHash));

    // What is refused below would be given to a member.
    const { socket } = await dial(first.infoHash);
    socket.destroy();
    expect(await announce(first.infoHash)).toContain('interval');

    await anna.run('sphere', 'remove', id, carl.session.own);
    const second = await share(id, 'kept-2.bin');
    const { infoHash, keyCheck } = await infoHashOf(second.item);
    expect(await readFile(await ben.get(id, second.item))).toEqual(second.content);
    for (const purpose of ['swarm', 'metainfo'] as const) {
      for (const each of [first.infoHash, infoHash]) {
        expect(await codeOf(dial(each, purpose)), `${purpose} of ${each}`).toMatch(
          /disconnected|not-allowed|timed-out/,
        );
      }
    }
    for (const each of [first.infoHash, infoHash]) expect(await announce(each)).toContain('failure reason');

    const { storage } = gwen.session;
    const wrapped = await eventually('gwen has the key', () =>
      Promise.resolve(storage.attachments.get(second.item as EventId, 'media-key')),
    );
    const open = (secrets: EpochSecrets) => unwrapMediaKey({ epoch: secrets, infoHash, keyCheck }, wrapped);
    const newest = gwen.sphere(id).epochs[0];
    if (newest === undefined) throw new Error('gwen has no key');
    expect(open(newest.secrets)).toHaveLength(32);
    for (const { secrets } of [epoch, ...sphere.epochs]) expect(() => open(secrets)).toThrow(/decrypt|authentic|key/);
    expect(sphere.log.has(second.item as EventId)).toBe(false);
  });
});

test('a stranger at the data port gets no byte of BitTorrent, whatever they send', async () => {
  const sphere = await world.sphere('Strangers', anna, ben);
  const { item } = await share(sphere, 'wanted.bin');
  const { body } = (await anna.log(sphere)).find(({ id }) => id === item) ?? { body: {} };
  const { infoHash } = body as { infoHash: string };
  const { swarm } = await anna.run<{ swarm: { port: number } }>('status');
  const openings = [
    handshake(infoHash as never),
    Buffer.concat([randomBytes(32), handshake(infoHash as never), randomBytes(500)]),
    Buffer.from('GET /announce HTTP/1.1\r\nHost: x\r\n\r\n'),
    randomBytes(4096),
    Buffer.alloc(2000),
    Buffer.from(`d2:id20:${'x'.repeat(20)}e`),
  ];
  const ask = async (opening: Buffer): Promise<Buffer> => {
    const socket = connect(swarm.port, anna.address);
    const received: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.write(opening);
    await once(socket, 'close');
    return Buffer.concat(received);
  };
  const answers = await Promise.all(openings.map(ask));
  for (const answer of answers) {
    expect(answer.length).toBeLessThanOrEqual(32);
    expect(answer.includes('BitTorrent')).toBe(false);
    expect(answer.includes(Buffer.from(infoHash, 'hex'))).toBe(false);
  }
});
