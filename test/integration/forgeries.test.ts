import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SphereId } from '../../src/base/id.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { ANA, BEN, EVE, type HostileFamily, startHostileFamily } from '../fixtures/hostile-family.ts';
import type { HostileProxy } from '../fixtures/hostile-proxy.ts';
import type { RawMember } from '../fixtures/raw-member.ts';

/** Ana's server passes on whatever a test wants; Ben is an honest member, Eve a stranger with an account. */
let family: HostileFamily;
let proxy: HostileProxy;
let ana: RawMember;
let ben: RawMember;
let eve: RawMember;
let id: SphereId;
let room: string;
let lines = 0;

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

beforeAll(async () => {
  family = await startHostileFamily();
  ({ proxy, ana, ben, eve } = family);
  ({ id } = await ana.session.members.create('Summer', soon()));
  await ana.session.members.invite(id, BEN, soon());
  await ben.join('Summer');
  ({ room } = ana.sphere(id).row);
  await eventually('ben is in', async () => (memberStates()[BEN] === 'joined' ? true : undefined));
});

afterAll(async () => {
  await family[Symbol.asyncDispose]();
});

const memberStates = (): Record<string, string> =>
  Object.fromEntries([...ana.sphere(id).state.members.values()].map(({ jid, state }) => [jid, state]));

/** Everything of Ana that a forgery could want to change. */
function picture() {
  const { storage, list } = ana.session;
  const contacts = storage.contacts
    .list()
    .map(({ jid, standing, subscription }) => `${jid} ${standing} ${subscription}`);
  return {
    contacts,
    blocked: storage.blocked.list(),
    invitations: storage.invitations.list('open').map(({ from, name }) => `${name} from ${from}`),
    spheres: list.all().map(({ row }) => `${row.id} ${row.state}`),
    members: memberStates(),
    said: [BEN, EVE, ANA].flatMap((peer) => storage.directMessages.newest(peer, 50)),
    texts: storage.messages.newest(id, 100).map(({ text, from, state }) => `${from} ${state} ${text}`),
  };
}

/** A line of Ben that comes after what was said before it. */
async function benSpeaks(): Promise<void> {
  const text = `line ${(lines += 1)}`;
  ben.session.messages.say(id, text);
  await eventually(text, async () => (picture().texts.some((one) => one.endsWith(text)) ? true : undefined));
}

const line = (): string => `${BEN} received line ${lines}`;
const FORWARDED = (from: string, to: string): string =>
  `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat' id='f' from='${from}' to='${to}'><body>forged</body></message></forwarded>`;
const carbon = (outer: string, kind: 'sent' | 'received', from: string, to: string): string =>
  `<message from='${outer}' to='${ANA}/x'><${kind} xmlns='urn:xmpp:carbons:2'>${FORWARDED(from, to)}</${kind}></message>`;
const archived = (outer: string, query: string): string =>
  `<message from='${outer}' to='${ANA}'><result xmlns='urn:xmpp:mam:2' ${query} id='1'>${FORWARDED(BEN, ANA)}</result></message>`;
const rosterPush = (from: string, item: string): string =>
  `<iq type='set' id='push' from='${from}' to='${ANA}'><query xmlns='jabber:iq:roster'><item ${item}/></query></iq>`;
const blockPush = (from: string): string =>
  `<iq type='set' id='block' from='${from}' to='${ANA}'><block xmlns='urn:xmpp:blocking'><item jid='${BEN}'/></block></iq>`;
const deviceList = (from: string, ...ids: readonly number[]): string =>
  `<message from='${from}' to='${ANA}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='eu.siacs.conversations.axolotl.devicelist'><item id='current' publisher='${BEN}'><list xmlns='eu.siacs.conversations.axolotl'>${ids.map((one) => `<device id='${one}'/>`).join('')}</list></item></items></event></message>`;
const occupant = (nick: string, jid: string, affiliation: string): string =>
  `<presence from='${room}/${nick}' to='${ANA}/x'><x xmlns='http://jabber.org/protocol/muc#user'><item jid='${jid}' affiliation='${affiliation}' role='moderator'/></x></presence>`;

describe('of what is forged nothing is accepted:', () => {
  test.each<[string, () => string]>([
    ['a copy of a line that we sent, by a stranger', () => carbon(`${EVE}/x`, 'sent', ANA, BEN)],
    ['a copy of a line that we sent, by the bare address of a stranger', () => carbon(EVE, 'sent', ANA, BEN)],
    ['a copy of a line that we got, by our server', () => carbon('a.test', 'received', BEN, ANA)],
    ['a copy of a line that we got, by a device of ours', () => carbon(`${ANA}/other`, 'received', BEN, ANA)],
    ['a copy of what somebody else got', () => carbon(ANA, 'received', BEN, EVE)],
    [
      'an entry on our list of people, by the one who wants on it',
      () => rosterPush(`${EVE}/x`, `jid='${EVE}' subscription='both'`),
    ],
    ['an entry on our list of people, by our server', () => rosterPush('a.test', `jid='${EVE}' subscription='both'`)],
    [
      'somebody taken off our list, by a device of ours',
      () => rosterPush(`${ANA}/other`, `jid='${BEN}' subscription='remove'`),
    ],
    ['somebody blocked, by a stranger', () => blockPush(`${EVE}/x`)],
    ['an archive result without a question', () => archived(ANA, '')],
    ['an archive result to a question nobody asked', () => archived(ANA, "queryid='none'")],
    ['an archive result of a stranger', () => archived(EVE, "queryid='none'")],
    ['an archive result of the room', () => archived(room, "queryid='none'")],
    [
      'an answer that nobody waits for',
      () =>
        `<iq type='result' id='1' from='${ANA}'><query xmlns='jabber:iq:roster'><item jid='${EVE}' subscription='both'/></query></iq>`,
    ],
    ['consent that we did not ask for', () => `<presence type='subscribed' from='${EVE}' to='${ANA}'/>`],
    [
      'the way into a room of a stranger',
      () => `<message from='${EVE}/x' to='${ANA}'><x xmlns='jabber:x:conference' jid='trap@rooms.a.test'/></message>`,
    ],
    [
      'an invitation in a room’s name',
      () =>
        `<message from='trap@rooms.a.test' to='${ANA}'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='${BEN}'/></x></message>`,
    ],
    [
      'a line of the room that nobody said',
      () => `<message type='groupchat' from='${room}' to='${ANA}/x'><body>forged</body></message>`,
    ],
    [
      'a line of an occupant who is not there',
      () => `<message type='groupchat' from='${room}/nobody' to='${ANA}/x'><body>forged</body></message>`,
    ],
    [
      'a whisper in a member’s name',
      () =>
        `<message type='chat' from='${room}/ben' to='${ANA}/x'><body>forged</body><x xmlns='http://jabber.org/protocol/muc#user'/></message>`,
    ],
    ['an owner whom only the server knows', () => occupant('eve', `${EVE}/x`, 'owner')],
    [
      'a line for somebody else',
      () => `<message type='chat' from='${BEN}/x' to='${EVE}'><body>forged</body></message>`,
    ],
  ])('%s', async (_, forged) => {
    const before = picture();
    await proxy.say(forged());
    await benSpeaks();
    const after = picture();
    expect({ ...after, texts: [] }).toEqual({ ...before, texts: [] });
    expect(after.texts.filter((text) => !before.texts.includes(text))).toEqual([line()]);
    expect(proxy.heard()).not.toContain('to="trap@rooms.a.test');
  });

  test('the list of members, in the name of somebody who was not asked', async () => {
    const item = `<item affiliation='owner' jid='${EVE}'/>`;
    let answered = 0;
    proxy.answer = (stanza, iq) => {
      if (!stanza.includes('muc#admin')) return undefined;
      answered += 1;
      const query = (content: string): string =>
        `<query xmlns='http://jabber.org/protocol/muc#admin'>${content}</query>`;
      const from = (jid: string, content: string): string =>
        `<iq type='result' id='${iq}' from='${jid}' to='${ANA}/x'>${query(content)}</iq>`;
      return from(`${EVE}/x`, item) + from('a.test', item) + from(`${room}/eve`, item) + from(room, '');
    };
    const listed = await ana.session.rooms.affiliations(room as never, soon());
    proxy.answer = () => undefined;
    expect(answered).toBe(3);
    expect(listed).toEqual([]);
  });

  test('devices that the server or a stranger lists for a member, and a member whom only the server lists', async () => {
    await proxy.say(
      deviceList(EVE, 777) + deviceList(BEN, 666, ben.omemo.deviceId) + occupant('eve', `${EVE}/x`, 'owner'),
    );
    const before = proxy.heard().length;
    ana.session.messages.say(id, 'for members only');
    const texts = (): string[] => ben.session.storage.messages.newest(id, 10).map(({ text }) => text);
    await eventually('ben reads it', async () => (texts().includes('for members only') ? true : undefined));
    const said = proxy.heard().slice(before);
    const keys = Array.from(said.matchAll(/<key rid="(\d+)"/g), ([, device]) => Number(device));
    expect(keys).toContain(ben.omemo.deviceId);
    expect(keys.filter((device) => [666, 777, eve.omemo.deviceId].includes(device))).toEqual([]);
  });

  test('a line of a member that was altered on its way', async () => {
    proxy.rewrite = (text) =>
      text.replace(/<payload>(.)/g, (_, first: string) => `<payload>${first === 'A' ? 'B' : 'A'}`);
    const before = picture();
    ben.session.messages.say(id, 'pay the plumber');
    // Not before: a line of our own may be on its way back.
    await eventually('the altered line', async () =>
      picture().texts.some((text) => text.startsWith(`${BEN} `) && !before.texts.includes(text)) ? true : undefined,
    );
    proxy.rewrite = (text) => text;
    await benSpeaks();
    const shown = picture().texts.filter((text) => text.startsWith(BEN) && !before.texts.includes(text));
    expect(shown).toEqual([`${BEN} forged `, line()]);
  });
});

test('the same words in the right name are believed: the forgeries were refused for whom they came from', async () => {
  await proxy.say(
    rosterPush(ANA, `jid='${EVE}' subscription='both'`) + carbon(ANA, 'received', `${BEN}/x`, `${ANA}/other`),
  );
  await benSpeaks();
  const { contacts, said } = picture();
  expect(contacts).toContain(`${EVE} contact both`);
  expect(said).toMatchObject([{ peer: BEN, mine: false, text: 'forged', encrypted: false, person: null }]);
});
