import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BareJid, EventId } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { generateKeyPair } from '../../src/omemo/keys.ts';
import type { DirectMessageRow } from '../../src/storage/direct-message-table.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { omemoElement } from '../../src/xmpp/xep/0384-omemo.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { firstMessage } from '../fixtures/first-message.ts';
import { ANA, BEN, EVE, type HostileFamily, startHostileFamily } from '../fixtures/hostile-family.ts';
import type { HostileProxy } from '../fixtures/hostile-proxy.ts';
import { LOW_ORDER_KEY } from '../fixtures/omemo-devices.ts';
import type { RawMember } from '../fixtures/raw-member.ts';

/** Ana's server says again, in other names, what was said to her and to others; Ben is a friend, Eve a stranger. */
let family: HostileFamily;
let proxy: HostileProxy;
let ana: RawMember;
let ben: RawMember;
let eve: RawMember;
let lines = 0;

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

beforeAll(async () => {
  family = await startHostileFamily();
  ({ proxy, ana, ben, eve } = family);
  ana.session.people.talk.say(BEN, 'I owe nothing');
  await eventually('ana is heard', async () => heard(ben, ANA).includes('received I owe nothing') || undefined);
  // Not encrypted, it is guarded by nothing but its author's name.
  await proxy.say(said(BEN, '<body>in the clear</body>'));
  await eventually('the line', async () => heard(ana, BEN).includes('received in the clear') || undefined);
});

afterEach(() => {
  proxy.rewrite = (text) => text;
});

afterAll(async () => {
  await family[Symbol.asyncDispose]();
});

const rows = ({ session }: RawMember, peer: BareJid): DirectMessageRow[] =>
  session.storage.directMessages.newest(peer, 100);
const heard = (at: RawMember, from: BareJid): string[] =>
  rows(at, from).flatMap(({ mine, state, text }) => (mine ? [] : [`${state} ${text}`]));

const said = (from: string, content: string): string =>
  `<message type='chat' from='${from}/x' to='${ANA}/x' id='c${(lines += 1)}'>${content}</message>`;

/** Ben says something new that Ana sees, and all that was said to her before it is dealt with. */
async function benWhispers(): Promise<void> {
  const text = `whisper ${(lines += 1)}`;
  ben.session.people.talk.say(ANA, text);
  await eventually(text, async () => heard(ana, BEN).includes(`received ${text}`) || undefined);
}

describe('what is encrypted for one is nothing to another:', () => {
  const invitations = (): string[] =>
    ana.session.storage.invitations.list('open').map(({ from, name }) => `${name} from ${from}`);

  /** What the next sealed message of somebody is as it comes to this member, who is kept from it when it is Ana. */
  function sealedTo(member: RawMember, from: BareJid): Promise<string> {
    return new Promise((resolve) => {
      member.session.client.onStanza.on((stanza: Element) => {
        if (String(stanza.attrs['from']).startsWith(from) && stanza.getChild('encrypted') !== undefined)
          resolve(stanza.toString());
      });
    });
  }

  test('an invitation for Eve that the server brings to Ana', async () => {
    const { id } = await ben.session.members.create('Winter', soon());
    const coming = sealedTo(eve, BEN);
    await ben.session.members.invite(id, EVE, soon());
    const stanza = await coming;
    await eventually(
      'eve is invited',
      async () => eve.session.storage.invitations.list('open').length > 0 || undefined,
    );
    const mine = stanza.replaceAll(EVE, ANA).replaceAll(`rid="${eve.omemo.deviceId}"`, `rid="${ana.omemo.deviceId}"`);
    expect(mine).toContain(`rid="${ana.omemo.deviceId}"`);
    await proxy.say(mine);
    await benWhispers();
    expect(invitations()).toEqual([]);
    // Sealed for Ana by Ben himself she can open it, and it still is Eve's.
    const [theirs] = eve.session.storage.invitations.list('open');
    const { id: invite, envelope } = theirs as unknown as { readonly id: EventId; readonly envelope: Uint8Array };
    ben.sphere(id).enqueueEnvelope(invite, envelope, ANA, { audience: { kind: 'account', jid: ANA }, line: null });
    await ben.session.outgoing.flushed([invite], { orParked: false }, soon());
    await benWhispers();
    expect(invitations()).toEqual([]);
  });

  test('an invitation of Eve of which the server says that it is Ben’s', async () => {
    const { id } = await eve.session.members.create('Spring', soon());
    const held = hold(EVE);
    await eve.session.members.invite(id, ANA, soon());
    const stanza = await held;
    expect(stanza).toContain("prekey='true'");
    await proxy.say(stanza.replaceAll(EVE, BEN).replace(/<stanza-id\b[^>]*\/>/, ''));
    await benWhispers();
    expect(invitations()).toEqual([]);
    // In Eve's name it is one: it was refused for whom it came from.
    await proxy.say(stanza);
    await eventually('the invitation', async () => invitations().length > 0 || undefined);
    expect(invitations()).toEqual([`Spring from ${EVE}`]);
  });
});

/** Keeps the next encrypted message of somebody from Ana. It may come in pieces. */
function hold(from: BareJid): Promise<string> {
  const isFrom = new RegExp(`^<message\\b[^>]*\\bfrom='${from}/`);
  let open = '';
  return new Promise((resolve) => {
    proxy.rewrite = (text) => {
      const whole = open + text;
      const start = whole.lastIndexOf('<message');
      const isOpen = start >= 0 && !whole.includes('</message>', start);
      open = isOpen ? whole.slice(start) : '';
      return (isOpen ? whole.slice(0, start) : whole).replace(/<message\b[^]*?<\/message>/g, (stanza) => {
        if (!isFrom.test(stanza) || !stanza.includes('<payload')) return stanza;
        resolve(Buffer.from(stanza, 'latin1').toString());
        return '';
      });
    };
  });
}

const RETRACTED = "/me retracted a previous message, but it's unsupported by your client.";
const CHANGES: [string, (id: string) => string][] = [
  ['other words', (id) => `<body>I owe eve a boat</body><replace xmlns='urn:xmpp:message-correct:0' id='${id}'/>`],
  ['its end', (id) => `<body>${RETRACTED}</body><retract xmlns='urn:xmpp:message-retract:1' id='${id}'/>`],
  ['a sign', (id) => `<reactions xmlns='urn:xmpp:reactions:0' id='${id}'><reaction>👍</reaction></reactions>`],
];

describe('in a talk a line gets from somebody who has no part in it', () => {
  // To a stranger nobody listens at all.
  beforeAll(() => void ana.session.people.talk.say(EVE, 'hello eve'));

  /** What becomes of each line when the server says this about it. */
  async function linesAfter(from: BareJid, before: readonly DirectMessageRow[], change: (id: string) => string) {
    for (const { stanzaId } of before) await proxy.say(said(from, change(stanzaId ?? '')));
    await benWhispers();
    const known = new Set(before.map(({ id }) => id));
    return rows(ana, BEN).filter(({ id }) => known.has(id));
  }

  test.each(CHANGES)('not %s', async (_, change) => {
    const before = rows(ana, BEN);
    expect(before.map(({ stanzaId }) => stanzaId)).not.toContain(null);
    expect(new Set(before.map(({ mine }) => mine))).toEqual(new Set([true, false]));
    expect(await linesAfter(EVE, before, change)).toEqual(before);
  });

  test.each(CHANGES.slice(0, 2))('not %s, nor when it was encrypted and the server says so', async (_, change) => {
    const before = rows(ana, BEN).filter(({ encrypted }) => encrypted);
    expect(await linesAfter(BEN, before, change)).toEqual(before);
  });
});

const LOW_ORDER = { publicKey: LOW_ORDER_KEY, privateKey: null };
const sound = () => generateKeyPair(systemRandom);

describe('the first message of a device', () => {
  /** What Ana is shown of a message of a device of Ben's that she has not heard of, sound but for these keys. */
  async function shownOf(text: string, keys: { ephemeral?: typeof LOW_ORDER; ratchet?: typeof LOW_ORDER }) {
    const before = heard(ana, BEN);
    const message = firstMessage({
      sender: { deviceId: 4000 + (lines += 1), identity: sound() },
      receiver: { deviceId: ana.omemo.deviceId, bundle: ana.omemo.bundle() },
      ephemeral: sound(),
      ratchet: sound(),
      text,
      ...keys,
    });
    await proxy.say(said(BEN, `<body>…</body>${omemoElement(message)}`));
    await benWhispers();
    return heard(ana, BEN).slice(before.length, -1);
  }

  test('is read when its keys are sound', async () => {
    expect(await shownOf('from a new device', {})).toEqual(['received from a new device']);
  });

  test('is refused as forged, and its text not shown, with a low-order ephemeral key', async () => {
    expect(await shownOf('pay the plumber', { ephemeral: LOW_ORDER })).toEqual(['forged ']);
  });

  test('is refused as forged, and its text not shown, with a low-order ratchet key', async () => {
    expect(await shownOf('pay the plumber', { ratchet: LOW_ORDER })).toEqual(['forged ']);
  });

  test('is refused as forged, and its text not shown, when both are of low order', async () => {
    expect(await shownOf('pay the plumber', { ephemeral: LOW_ORDER, ratchet: LOW_ORDER })).toEqual(['forged ']);
  });
});
