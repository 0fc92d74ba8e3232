import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { toBase64, toUtf8 } from '../../src/base/bytes.ts';
import type { EventId, SphereId } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { signXeddsa } from '../../src/omemo/curve.ts';
import { generateKeyPair } from '../../src/omemo/keys.ts';
import type { OmemoBundle } from '../../src/omemo/types.ts';
import { attachment } from '../../src/spheres/protocol/envelope.ts';
import { sha256Hex } from '../../src/spheres/protocol/keys.ts';
import { bundleElement } from '../../src/xmpp/xep/0384-omemo.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { ANA, BEN, EVE, type HostileFamily, startHostileFamily } from '../fixtures/hostile-family.ts';
import type { HostileProxy } from '../fixtures/hostile-proxy.ts';
import { LOW_ORDER_KEY } from '../fixtures/omemo-devices.ts';
import type { RawMember } from '../fixtures/raw-member.ts';

/** Ana's server holds back, alters and says again what Ben encrypts for her; Eve is a stranger to whom she may write. */
let family: HostileFamily;
let proxy: HostileProxy;
let ana: RawMember;
let ben: RawMember;
let eve: RawMember;
let summer: SphereId;
let autumn: SphereId;
let lines = 0;

const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const roomOf = (id: SphereId): string => ana.sphere(id).row.room;

beforeAll(async () => {
  family = await startHostileFamily();
  ({ proxy, ana, ben, eve } = family);
  summer = await found('Summer');
  autumn = await found('Autumn');
  // From here on both have answered, and a session is no longer begun with each message.
  ana.session.messages.say(summer, 'welcome');
  ben.session.people.talk.say(ANA, 'hello');
  await eventually('ben is heard', async () => (direct().includes('received hello') ? true : undefined));
  ana.session.people.talk.say(BEN, 'hello');
  await eventually('ana is heard', async () =>
    ben.session.storage.directMessages.newest(ANA, 9).some(({ mine }) => !mine) ? true : undefined,
  );
});

afterEach(() => {
  proxy.rewrite = (text) => text;
  proxy.answer = () => undefined;
});

afterAll(async () => {
  await family[Symbol.asyncDispose]();
});

async function found(name: string): Promise<SphereId> {
  const { id } = await ana.session.members.create(name, soon());
  await ana.session.members.invite(id, BEN, soon());
  await ben.join(name);
  await eventually('ben is in', async () =>
    ana.sphere(id).state.members.get(BEN)?.state === 'joined' ? true : undefined,
  );
  return id;
}

/** What Ana sees of Ben in a sphere, and of what she and Ben say to each other alone. */
const told = (id: SphereId): string[] =>
  ana.session.storage.messages
    .newest(id, 100)
    .filter(({ from, kind }) => from === BEN && kind === 'text')
    .map(({ state, text }) => `${state} ${text}`);
const direct = (): string[] =>
  ana.session.storage.directMessages
    .newest(BEN, 100)
    .filter(({ mine }) => !mine)
    .map(({ state, text }) => `${state} ${text}`);

/** Ben says something new that Ana sees; returns how it is told. */
async function benSpeaks(id: SphereId): Promise<string> {
  const text = `line ${(lines += 1)}`;
  ben.session.messages.say(id, text);
  await eventually(text, async () => (told(id).includes(`received ${text}`) ? true : undefined));
  return `received ${text}`;
}

async function benWhispers(): Promise<string> {
  const text = `whisper ${(lines += 1)}`;
  ben.session.people.talk.say(ANA, text);
  await eventually(text, async () => (direct().includes(`received ${text}`) ? true : undefined));
  return `received ${text}`;
}

/** What becomes of the next line that Ben encrypts; resolves with the line as the server had it. */
function meddle(from: string, becomes: (stanza: string) => string): Promise<string> {
  const isFrom = new RegExp(`^<message\\b[^>]*\\bfrom='${from}/`);
  return new Promise((resolve) => {
    let isDone = false;
    proxy.rewrite = (text) =>
      text.replace(/<message\b[^]*?<\/message>/g, (stanza) => {
        if (isDone || !isFrom.test(stanza) || !stanza.includes('<payload')) return stanza;
        isDone = true;
        resolve(Buffer.from(stanza, 'latin1').toString());
        return becomes(stanza);
      });
  });
}

const ID = /<stanza-id\b[^>]*\/>/;
const stanzaId = (by: string, id: string): string => `<stanza-id xmlns='urn:xmpp:sid:0' by='${by}' id='${id}'/>`;
const idIn = (stanza: string): string => /\bid='([^']*)'/.exec(ID.exec(stanza)?.[0] ?? '')?.[1] ?? '';
/** Says nothing to anybody, under these ids of the archive. */
const empty = (stanza: string, ids: string): string =>
  `${/^<message\b[^>]*>/.exec(stanza)?.[0]}<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><iv>${toBase64(new Uint8Array(12))}</iv></header></encrypted>${ids}</message>`;

describe('of ids that the server gives to what others said nothing comes:', () => {
  test('a line of a room is there once, also when its id was used before and it is said again under others', async () => {
    const room = roomOf(summer);
    const before = told(summer);
    const meddled = meddle(room, (stanza) => {
      const id = idIn(stanza);
      const ids = [stanzaId(EVE, id), stanzaId(`${room}/ben`, id), stanzaId(room, id) + stanzaId(room, 'other')];
      const again = [stanza, stanza.replace(ID, stanzaId(room, 'fresh')), stanza.replace(ID, '')];
      return [...ids.map((one) => empty(stanza, one)), ...again].join('');
    });
    const line = await benSpeaks(summer);
    expect(idIn(await meddled)).not.toBe('');
    const next = await benSpeaks(summer);
    expect(told(summer).slice(before.length)).toEqual([line, next]);
  });

  test('a line of a room whose id the server gave to something else before comes from the other members', async () => {
    const room = roomOf(summer);
    const before = told(summer);
    const meddled = meddle(room, (stanza) => empty(stanza, stanzaId(room, idIn(stanza))) + stanza);
    ben.session.messages.say(summer, 'meet at six');
    await meddled;
    const next = await benSpeaks(summer);
    await eventually('the line', async () => (told(summer).includes('received meet at six') ? true : undefined));
    expect(told(summer).slice(before.length)).toEqual(['received meet at six', next]);
  });

  test('a line to us alone is there once', async () => {
    const before = direct();
    const meddled = meddle(BEN, (stanza) => {
      const id = idIn(stanza);
      const ids = [stanzaId(BEN, id), stanzaId('a.test', id), stanzaId(ANA, id) + stanzaId(ANA, 'other')];
      const again = [stanza, stanza.replace(ID, stanzaId(ANA, 'fresh')), stanza.replace(ID, '')];
      return [...ids.map((one) => empty(stanza, one)), ...again].join('');
    });
    const line = await benWhispers();
    expect(idIn(await meddled)).not.toBe('');
    const next = await benWhispers();
    expect(direct().slice(before.length)).toEqual([line, next]);
    // Under the key that Ben certified, for which the server has nothing to put in its place.
    const [last] = ana.session.storage.directMessages.newest(BEN, 1);
    expect(last?.person).toBe(ben.identity.author.person);
  });
});

test.each([
  ['without its MAC', (data: Buffer) => data.subarray(0, -8)],
  ['with a MAC of nothing', (data: Buffer) => Buffer.concat([data.subarray(0, -8), new Uint8Array(8)])],
])('a message %s is not read, and the next one is', async (_, change) => {
  const before = direct();
  const key = new RegExp(`(<key\\b[^>]*\\brid='${ana.omemo.deviceId}'[^>]*>)([^<]+)`);
  const meddled = meddle(BEN, (stanza) =>
    stanza.replace(key, (_whole, tag: string, data: string) => tag + toBase64(change(Buffer.from(data, 'base64')))),
  );
  ben.session.people.talk.say(ANA, 'pay the plumber');
  const stanza = await meddled;
  expect(stanza).toMatch(key);
  expect(key.exec(stanza)?.[1]).not.toContain('prekey');
  const next = await benWhispers();
  expect(direct().slice(before.length)).toEqual([expect.stringMatching(/^(forged|undecryptable) $/), next]);
});

test.each<[string, (bundle: OmemoBundle) => OmemoBundle]>([
  ['identity key', (bundle) => ({ ...bundle, identityKey: LOW_ORDER_KEY })],
  [
    'prekeys',
    (bundle) => ({ ...bundle, preKeys: bundle.preKeys.map((one) => ({ ...one, publicKey: LOW_ORDER_KEY })) }),
  ],
  [
    'signed prekey',
    (bundle) => {
      const { publicKey: identityKey, privateKey } = generateKeyPair(systemRandom);
      const signature = signXeddsa(privateKey, LOW_ORDER_KEY, systemRandom);
      return { ...bundle, identityKey, signedPreKey: { id: 1, publicKey: LOW_ORDER_KEY, signature } };
    },
  ],
])('keys of a device of which the server says a low-order %s get nothing', async (_, forge) => {
  const { deviceId } = eve.omemo;
  let asked = 0;
  proxy.answer = (stanza, id) => {
    if (!stanza.includes(`bundles:${deviceId}`)) return undefined;
    asked += 1;
    const items = `<items node='eu.siacs.conversations.axolotl.bundles:${deviceId}'><item id='current'>${bundleElement(forge(eve.omemo.bundle()))}</item></items>`;
    return `<iq type='result' id='${id}' from='${EVE}' to='${ANA}/x'><pubsub xmlns='http://jabber.org/protocol/pubsub'>${items}</pubsub></iq>`;
  };
  const before = proxy.heard().length;
  const { storage, people } = ana.session;
  const { id } = people.talk.say(EVE, 'for eve');
  const failed = await eventually('the line fails', async () => {
    const row = storage.directMessages.get(id);
    return row?.state === 'queued' ? undefined : row;
  });
  expect(asked).toBeGreaterThan(0);
  expect(failed).toMatchObject({ state: 'failed', failure: 'cannot-encrypt' });
  expect(proxy.heard().slice(before)).not.toContain(`rid="${deviceId}"`);
  expect(storage.omemo.session({ jid: EVE, deviceId })).toBeUndefined();
});

test('a line is changed by nobody but its author: not by another member, nor by whoever the server says was its author', async () => {
  const mine = ana.session.messages.say(summer, 'I owe nothing');
  await eventually('ben has it', async () => (ben.sphere(summer).log.has(mine) ? true : undefined));
  const line = await benSpeaks(summer);
  const [theirs] = ana.session.storage.messages.newest(summer, 1);
  const text = toUtf8('I owe ben a boat');
  ben.session.list.publish(
    ben.sphere(summer),
    'edit',
    { target: mine, textSha256: sha256Hex(text) },
    { audience: { kind: 'members' }, kept: [attachment('text', text)], line: 'I owe ben a boat' },
  );
  const correct = (from: string, type: string, id: string): string =>
    `<message type='${type}' from='${from}' to='${ANA}/x'><body>changed</body><replace xmlns='urn:xmpp:message-correct:0' id='${id}'/></message>`;
  await benSpeaks(summer);
  const nick = `${roomOf(summer)}/ben-${ben.identity.author.device.id.slice(0, 6)}`;
  for (const id of [mine, theirs?.id ?? ''] as EventId[]) await proxy.say(correct(nick, 'groupchat', id));
  const next = await benSpeaks(summer);
  expect(ana.session.storage.messages.get(mine)).toMatchObject({ text: 'I owe nothing', state: 'sent' });
  const { log } = ana.sphere(summer);
  expect([mine, theirs?.id].map((id) => log.annotations.edit(log.get(id as EventId) as never))).toEqual([
    undefined,
    undefined,
  ]);
  // What only the server says is shown as what it is, beside the line and not in its place.
  expect(
    told(summer)
      .filter((one) => one.startsWith('received '))
      .slice(-1),
  ).toEqual([next]);
  expect(told(summer)).toContain(line);
  expect(told(summer).filter((one) => one.endsWith('changed'))).toEqual(['guest changed', 'guest changed']);
});

test('a line of one room that the server says again in another, in its author’s name, is no line there', async () => {
  const meddled = meddle(roomOf(summer), () => '');
  const before = { told: told(autumn), log: ana.sphere(autumn).log.events().length };
  ben.session.messages.say(summer, 'sell everything');
  const stanza = await meddled;
  await proxy.say(stanza.replaceAll(roomOf(summer), roomOf(autumn)));
  const next = await benSpeaks(autumn);
  expect(told(autumn).slice(before.told.length)).toEqual(['forged ', next]);
  expect(
    ana
      .sphere(autumn)
      .log.events()
      .filter(({ type }) => type === 'message'),
  ).toHaveLength(before.told.length + 1);
  // Held back in its own room, it comes there from its author.
  await benSpeaks(summer);
  await eventually('the line', async () => (told(summer).includes('received sell everything') ? true : undefined));
});
