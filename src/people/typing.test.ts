import { expect, test } from 'vitest';
import { BEN, carbon, fromAna, fromBen, talkOfAna } from '../../test/fixtures/talk-of-ana.ts';
import type { BareJid, DeviceKey, SphereId } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import type { EphemeralChannel } from '../spheres/ephemeral-channel.ts';
import type { Sphere } from '../spheres/sphere.ts';
import { chatState } from '../xmpp/xep/0085-chat-states.ts';
import { conversationIdOf } from './conversation-id.ts';
import { Typing } from './typing.ts';

const TALK = conversationIdOf(BEN);
const ALBUM = '5a'.repeat(32) as SphereId;
const CARL = parseBareJid('carl@c.test');

type Hear = (from: { sphere: Sphere; device: DeviceKey }, body: { isTyping: boolean }) => void;

/** Ana, who talks with Ben, and is in a sphere with Carl. */
function setUp() {
  const talk = talkOfAna();
  talk.know('contact', 'both');
  const [saidInSphere, changes]: [boolean[], SphereId[]] = [[], []];
  let hearMember: Hear = () => undefined;
  const channel = {
    on: (_kind: string, listener: Hear) => void (hearMember = listener),
    say: async (_sphere: Sphere, _kind: string, { isTyping }: { isTyping: boolean }) =>
      void saidInSphere.push(isTyping),
  } as unknown as EphemeralChannel;
  const devices = new Map([
    ['carl-1', { person: 'carl' }],
    ['ana-2', { person: 'ana' }],
  ]);
  const jidOf = (): BareJid => CARL;
  const sphere = { id: ALBUM, row: { state: 'joined' }, person: 'ana', state: { devices }, jidOf } as unknown as Sphere;
  const over = new AbortController();
  const typing = new Typing({
    ...{ client: talk.client, clock: talk.clock, log: silentLogger, channel },
    people: { contacts: talk.contacts, onState: talk.onState },
    list: { find: (id) => (id === ALBUM ? sphere : undefined) },
    spawn: (_name, task) => void task(over.signal).catch(() => undefined),
  });
  typing.onChange.on((id) => changes.push(id));
  const said = (): string[] => talk.client.sent.map((stanza) => stanza.getChildElements()[0]?.name ?? '');
  const member = (device: string, isTyping: boolean): void =>
    hearMember({ sphere, device: device as DeviceKey }, { isTyping });
  return { ...talk, typing, changes, said, saidInSphere, member };
}

test('a contact who is there sees that one writes, once, and that one stopped, also when the page is closed', async () => {
  const { typing, client, clock, said, settle } = setUp();
  typing.say(TALK, true);
  await settle();
  expect(said()).toEqual([]);
  client.presence(`${BEN}/phone`);
  typing.say(TALK, false);
  for (let second = 0; second < 12; second += 4) {
    typing.say(TALK, true);
    await clock.advance(4_000);
  }
  expect(said()).toEqual(['active', 'composing']);
  await clock.advance(60_000);
  expect(said()).toEqual(['active', 'composing', 'active']);
  expect(client.sent.every((stanza) => stanza.getChild('no-store') !== undefined)).toBe(true);
});

test('nobody else sees that one writes: no stranger, nobody who may not see us online', async () => {
  const { typing, client, know, said, settle } = setUp();
  client.presence(`${BEN}/phone`);
  for (const [standing, subscription] of [
    ['contact', 'to'],
    ['met', 'both'],
    ['request', 'none'],
  ] as const) {
    know(standing, subscription);
    typing.say(TALK, true);
    typing.say(TALK, false);
  }
  await settle();
  expect(said()).toEqual([]);
});

test('in a sphere it is said again as long as it goes on', async () => {
  const { typing, clock, saidInSphere } = setUp();
  for (let second = 0; second < 24; second += 4) {
    typing.say(ALBUM, true);
    await clock.advance(4_000);
  }
  expect(saidInSphere).toEqual([true, true]);
  typing.say(ALBUM, false);
  await clock.advance(0);
  expect(saidInSphere).toEqual([true, true, false]);
});

test('whoever writes is shown until they stop or have said nothing for a while', async () => {
  const { typing, clock, hear, changes, member } = setUp();
  await hear(fromBen('b1', null, chatState('composing')));
  await hear(fromBen('b2', null, chatState('composing')));
  member('carl-1', true);
  member('ana-2', true);
  expect([typing.whoIn(TALK), typing.whoIn(ALBUM), changes]).toEqual([[BEN], [CARL], [TALK, ALBUM]]);
  await hear(fromBen('b3', null, chatState('paused')));
  expect(typing.whoIn(TALK)).toEqual([]);
  await clock.advance(31_000);
  expect([typing.whoIn(ALBUM), changes]).toEqual([[], [TALK, ALBUM, TALK, ALBUM]]);
});

test('of strangers, blocked people and our own other devices nobody is shown', async () => {
  const { typing, hear, know, storage } = setUp();
  await hear(carbon('sent', fromAna('t1', null, chatState('composing'))));
  know('request', 'none');
  await hear(fromBen('b1', null, chatState('composing')));
  know('contact', 'both');
  storage.blocked.add(BEN);
  await hear(fromBen('b2', null, chatState('composing')));
  expect(typing.whoIn(TALK)).toEqual([]);
});
