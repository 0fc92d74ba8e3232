import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import { parseBareJid } from '../../base/id.ts';
import { xml } from '../element.ts';
import { stanzaError } from '../stanza-error.ts';
import { fetchDeviceList } from './0384-omemo.ts';

const ben = parseBareJid('ben@b.test');

function refusing(condition: string): FakeXmppPort {
  const named = xml(condition, { xmlns: 'urn:ietf:params:xml:ns:xmpp-stanzas' });
  const error = stanzaError(xml('iq', { type: 'error' }, xml('error', { type: 'cancel' }, named)));
  return new FakeXmppPort(() => {
    throw error;
  });
}

test('an account without the node has never published a device', async () => {
  expect(await fetchDeviceList(refusing('item-not-found'), ben)).toEqual([]);
});

test.each(['service-unavailable', 'gone', 'recipient-unavailable', 'forbidden'])(
  'a device list that is refused with %s is not taken for an empty one, over which we would publish',
  async (condition) => {
    await expect(fetchDeviceList(refusing(condition), ben)).rejects.toMatchObject({ details: { condition } });
  },
);
