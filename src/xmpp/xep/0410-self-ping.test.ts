import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../../test/fixtures/fake-xmpp-port.ts';
import { AppError } from '../../base/errors.ts';
import { xml } from '../element.ts';
import { selfPing } from './0410-self-ping.ts';

const OCCUPANT = 'room@rooms.a.test/ana';

function refusing(condition: string | undefined): FakeXmppPort {
  return new FakeXmppPort(() => {
    throw new AppError('not-allowed', 'refused', condition === undefined ? {} : { condition });
  });
}

test('an answer means that the room still counts us in', async () => {
  const client = new FakeXmppPort(() => xml('iq', { type: 'result' }));
  expect(await selfPing(client, OCCUPANT)).toBe('inside');
});

test.each(['service-unavailable', 'feature-not-implemented', 'item-not-found'])(
  '%s comes from our own client, so we are inside',
  async (condition) => {
    expect(await selfPing(refusing(condition), OCCUPANT)).toBe('inside');
  },
);

test.each(['not-acceptable', 'not-allowed'])('%s means that we are out', async (condition) => {
  expect(await selfPing(refusing(condition), OCCUPANT)).toBe('outside');
});

test.each([undefined, 'remote-server-not-found', 'remote-server-timeout'])(
  '%s says nothing about the room',
  async (condition) => {
    expect(await selfPing(refusing(condition), OCCUPANT)).toBe('unknown');
  },
);
