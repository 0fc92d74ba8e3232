import { describe, expect, test } from 'vitest';
import { ANA, carbon, fromAna, fromBen, BEN, SEALED, talkOfAna } from '../../test/fixtures/talk-of-ana.ts';
import { AppError } from '../base/errors.ts';
import { parseDeviceKey } from '../base/id.ts';
import type { OwnDeviceRow } from '../storage/own-device-table.ts';
import { type Element, xml } from '../xmpp/element.ts';
import { ownRead } from '../xmpp/own-read.ts';
import { receipt, receiptRequest } from '../xmpp/xep/0184-receipts.ts';
import { displayed, markable } from '../xmpp/xep/0333-markers.ts';

const asks = (id: string): Element => fromBen(id, `${SEALED}hi`, receiptRequest(), markable());

const TABLET: OwnDeviceRow = {
  ...{ device: parseDeviceKey('d'.repeat(64)), name: 'tablet', jid: ANA, omemoDeviceId: 7, state: 'known' },
  ...{ omemoIdentityKey: '05'.repeat(33), addedAtMs: 0, seenAtMs: 0 },
};

describe('what came', () => {
  test('is told once to a contact who sees us online, and by the device alone that got it', async () => {
    const { know, hear, told } = talkOfAna();
    know('contact', 'both');
    await hear(asks('b1'));
    await hear(asks('b1'));
    await hear(carbon('received', asks('b2')));
    await hear(fromBen('b3', `${SEALED}no need`));
    expect(told()).toEqual([`${BEN} received b1`]);
  });

  test.each([
    ['request', 'none'],
    ['met', 'none'],
    ['met', 'both'],
    ['contact', 'none'],
    ['contact', 'to'],
  ] as const)('and what was read is told to nobody who may not see us: %s, %s', async (standing, subscription) => {
    const { know, hear, talk, lines, told, settle } = talkOfAna();
    know(standing, subscription);
    await hear(asks('b1'));
    talk.markRead(BEN);
    await settle();
    expect(lines()).toHaveLength(1);
    expect(told()).toEqual([]);
  });

  test('and what was read is not told to whom we blocked', async () => {
    const { storage, know, hear, talk, told, settle, acknowledgements } = talkOfAna();
    know('contact', 'both');
    await hear(fromBen('b1', `${SEALED}hi`, markable()));
    storage.blocked.add(BEN);
    await hear(asks('b2'));
    talk.markRead(BEN);
    acknowledgements.poke();
    await settle();
    expect(told()).toEqual([]);
  });

  test('while we were away is told after the archive was read, unless another device of ours has', async () => {
    const { know, hear, mail, told, acknowledgements, settle } = talkOfAna();
    know('contact', 'both');
    mail.isRead = false;
    await hear(asks('b1'));
    await hear(asks('b2'));
    await hear(carbon('sent', fromAna('t1', null, receipt('b1'))));
    expect(told()).toEqual([]);
    mail.isRead = true;
    acknowledgements.poke();
    await settle();
    expect(told()).toEqual([`${BEN} received b2`]);
  });
});

describe('a line of ours', () => {
  test('is delivered, and then seen with all before it, when they say so and nobody else', async () => {
    const { know, hear, talk, lines, storage } = talkOfAna();
    know('contact', 'both');
    const rows = ['one', 'two', 'three'].map((text) => talk.say(BEN, text));
    for (const row of rows) talk.settle(row, { state: 'sent', failure: null });
    const [, second = rows[0]] = rows;
    const states = (): string[] => lines().map(({ state }) => state);
    const eve = fromBen('e1', null, displayed(String(second?.id)));
    eve.attrs['from'] = 'eve@evil.test/x';
    await hear(eve);
    expect([states(), storage.contacts.get(BEN)?.tells]).toEqual([['sent', 'sent', 'sent'], false]);
    await hear(fromBen('b1', null, receipt(String(second?.id))));
    expect([states(), storage.contacts.get(BEN)?.tells]).toEqual([['sent', 'delivered', 'sent'], true]);
    await hear(fromBen('b2', null, displayed(String(second?.id))));
    await hear(fromBen('b3', null, receipt(String(second?.id))));
    expect(states()).toEqual(['seen', 'seen', 'sent']);
  });

  test('that goes out again is not seen because a later one is told once more to be', async () => {
    const { know, hear, talk, storage } = talkOfAna();
    know('contact', 'both');
    const [first, second] = [talk.say(BEN, 'one'), talk.say(BEN, 'two')];
    talk.settle(first, { state: 'failed', failure: 'server-unreachable' });
    talk.settle(second, { state: 'sent', failure: null });
    await hear(fromBen('b1', null, displayed(second.id)));
    talk.retry(first.id);
    const again = storage.directMessages.get(first.id) ?? first;
    talk.settle(again, { state: 'sent', failure: null });
    const state = (): string | undefined => storage.directMessages.get(first.id)?.state;
    await hear(fromBen('b2', null, displayed(second.id)));
    expect(state()).toBe('sent');
    await hear(fromBen('b3', null, displayed(String(again.stanzaId))));
    expect(state()).toBe('seen');
  });

  test('that is told to have come before the server took it is not sent again', async () => {
    const { know, hear, talk, storage } = talkOfAna();
    know('contact', 'both');
    const row = talk.say(BEN, 'one');
    await hear(fromBen('b1', null, receipt(row.id)));
    talk.settle(row, { state: 'sent', failure: null });
    expect(storage.directMessages.get(row.id)?.state).toBe('delivered');
    expect(storage.directMessages.queued()).toEqual([]);
  });
});

describe('what was read', () => {
  test('is told once, with the newest line that asks for it', async () => {
    const { know, hear, talk, told, settle } = talkOfAna();
    know('contact', 'from');
    for (const id of ['b1', 'b2']) await hear(fromBen(id, `${SEALED}hi`, markable()));
    await hear(fromBen('b3', `${SEALED}from an old program`));
    talk.markRead(BEN);
    talk.markRead(BEN);
    await settle();
    expect(told()).toEqual([`${BEN} displayed b2`]);
  });

  test('without a connection is told when there is one again', async () => {
    const { know, hear, talk, told, client, acknowledgements, settle } = talkOfAna();
    know('contact', 'both');
    await hear(fromBen('b1', `${SEALED}hi`, markable()));
    client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
    talk.markRead(BEN);
    await settle();
    client.setState({ kind: 'online', resumed: false });
    acknowledgements.poke();
    await settle();
    expect(told()).toEqual([`${BEN} displayed b1`]);
  });

  test('on another device of ours is read here, and is not told twice', async () => {
    const { know, hear, talk, storage, told, settle } = talkOfAna();
    know('contact', 'both');
    for (const id of ['b1', 'b2']) await hear(fromBen(id, `${SEALED}hi`, markable()));
    const unread = (): number => storage.directMessages.countUnread(BEN, storage.contacts.get(BEN)?.readPosition ?? 0);
    await hear(carbon('sent', fromAna('t1', null, displayed('b2')), 'eve@evil.test'));
    await hear(carbon('sent', fromAna('t1', null, displayed('b2')), `${BEN}/phone`));
    expect(unread()).toBe(2);
    await hear(carbon('sent', fromAna('t1', null, displayed('b1'))));
    expect(unread()).toBe(1);
    await hear(carbon('sent', fromAna('t2', null, displayed('b2'))));
    expect(unread()).toBe(0);
    talk.markRead(BEN);
    await settle();
    expect(told()).toEqual([]);
  });
});

describe('what was read of somebody who may not know it', () => {
  const twoDevices = (standing: 'met' | 'contact', subscription: 'none' | 'to' | 'both') => {
    const [here, there] = [talkOfAna(), talkOfAna()];
    here.storage.ownDevices.put(TABLET);
    for (const { know } of [here, there]) know(standing, subscription);
    const hearBoth = async (...stanzas: readonly Element[]): Promise<void> => {
      for (const stanza of stanzas) for (const { hear } of [here, there]) await hear(stanza);
    };
    const unread = ({ storage }: typeof here): number =>
      storage.directMessages.countUnread(BEN, storage.contacts.get(BEN)?.readPosition ?? 0);
    /** What this device sent, as the server brings it to the other one. */
    const passOn = async (from: string = ANA): Promise<void> => {
      for (const { name, attrs, children } of here.client.sent)
        await there.hear(xml(name, { ...attrs, from: `${from}/here` }, ...children));
    };
    return { here, there, hearBoth, unread, passOn };
  };

  test.each([
    ['met', 'none'],
    ['contact', 'to'],
  ] as const)('is told to our other devices alone: %s, %s', async (standing, subscription) => {
    const { here, there, hearBoth, unread, passOn } = twoDevices(standing, subscription);
    await hearBoth(asks('b1'), asks('b2'));
    here.talk.markRead(BEN);
    here.talk.markRead(BEN);
    await here.settle();
    expect(here.told()).toEqual([`${ANA} read b2`]);
    expect(here.client.sent[0]?.getChild('store', 'urn:xmpp:hints')).toBeDefined();
    await hearBoth(asks('b3'));
    await passOn();
    expect([unread(there), unread(here)]).toEqual([1, 1]);
    there.acknowledgements.poke();
    await there.settle();
    expect(there.told()).toEqual([]);
  });

  test('by a program that asks for nothing is told to our other devices, and what it asked for before to them too', async () => {
    const { here, there, hearBoth, unread, passOn } = twoDevices('contact', 'both');
    await hearBoth(fromBen('b1', `${SEALED}hi`, markable()), fromBen('b2', `${SEALED}from an old program`));
    here.talk.markRead(BEN);
    await here.settle();
    expect(here.told()).toEqual([`${BEN} displayed b1`, `${ANA} read b2`]);
    await passOn();
    expect(unread(there)).toBe(0);
  });

  test('is believed of our own account alone, and of what it says to itself', async () => {
    const { there, hearBoth, unread } = twoDevices('met', 'none');
    await hearBoth(asks('b1'));
    const mark = ownRead(BEN, 'b1');
    const attrs = { xmlns: 'jabber:client', type: 'chat', to: ANA };
    for (const from of [`${BEN}/phone`, 'eve@evil.test/x', 'a.test'])
      await there.hear(xml('message', { ...attrs, from }, mark));
    await there.hear(carbon('sent', xml('message', { ...attrs, from: `${ANA}/x` }, mark), `${BEN}/phone`));
    await there.hear(carbon('sent', fromAna('t1', null, mark)));
    expect(unread(there)).toBe(1);
    await there.hear(xml('message', { ...attrs, from: `${ANA}/x` }, mark));
    expect(unread(there)).toBe(0);
  });

  test('is told to nobody where there is no other device, and without a connection once there is one', async () => {
    const alone = talkOfAna();
    alone.know('met', 'none');
    await alone.hear(asks('b1'));
    alone.talk.markRead(BEN);
    await alone.settle();
    expect(alone.told()).toEqual([]);
    const { here, hearBoth } = twoDevices('met', 'none');
    await hearBoth(asks('b1'));
    here.client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
    here.talk.markRead(BEN);
    await here.settle();
    here.client.setState({ kind: 'online', resumed: false });
    here.acknowledgements.poke();
    await here.settle();
    expect(here.told()).toEqual([`${ANA} read b1`]);
  });
});
