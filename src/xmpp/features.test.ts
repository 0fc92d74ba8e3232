import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { AppError } from '../base/errors.ts';
import { type Element, xml } from './element.ts';
import { checkServer } from './features.ts';
import { discoInfo, NS_DISCO_INFO, NS_DISCO_ITEMS } from './xep/0030-disco.ts';

const never = new AbortController().signal;
const ROOMS = { identities: [{ category: 'conference', type: 'text' }], features: ['http://jabber.org/protocol/muc'] };
const ACCOUNT = { identities: [{ category: 'pubsub', type: 'pep' }], features: [] };

/** A server that lists these services; each answers or fails as it says. */
function serverWith(services: Readonly<Record<string, () => Element>>): FakeXmppPort {
  return new FakeXmppPort((query, to) => {
    if (query.is('query', NS_DISCO_ITEMS)) {
      const items = Object.keys(services).map((jid) => xml('item', { jid }));
      return xml('iq', {}, xml('query', { xmlns: NS_DISCO_ITEMS }, ...items));
    }
    expect(query.is('query', NS_DISCO_INFO)).toBe(true);
    return services[to ?? '']?.() ?? xml('iq', {}, discoInfo(ACCOUNT));
  });
}

const rooms = (): Element => xml('iq', {}, discoInfo(ROOMS));
const other = (): Element => xml('iq', {}, discoInfo({ identities: [], features: [] }));
const fails = (code: 'timed-out' | 'not-found', condition?: string) => (): never => {
  throw new AppError(code, 'no service', { condition });
};

test('the room service is found beside services that are down or silent', async () => {
  const services = {
    'silent.a.test': fails('timed-out'),
    'down.a.test': fails('not-found', 'remote-server-not-found'),
    'files.a.test': other,
    'rooms.a.test': rooms,
    'more-rooms.a.test': rooms,
  };
  expect((await checkServer(serverWith(services), never)).muc).toBe('rooms.a.test');
});

test('a server is said to have no rooms only when every service has said so', async () => {
  const answered = serverWith({ 'files.a.test': other, 'down.a.test': fails('not-found', 'service-unavailable') });
  await expect(checkServer(answered, never)).rejects.toMatchObject({ code: 'server-lacks-rooms' });
  const silent = serverWith({ 'files.a.test': other, 'rooms.a.test': fails('timed-out') });
  await expect(checkServer(silent, never)).rejects.toMatchObject({ code: 'timed-out' });
});
