import { expect, test } from 'vitest';
import { hastyClock } from '../../test/fixtures/hasty-clock.ts';
import { askUdp, localAddressTowards } from './ask-udp.ts';

const never = new AbortController().signal;
/** An address to which no socket may be connected. */
const NOWHERE = '255.255.255.255';

test('a router that cannot be reached from here is not found, instead of asked from no address', async () => {
  await expect(localAddressTowards(NOWHERE, 1900)).rejects.toMatchObject({ code: 'not-found' });
  const question = { address: NOWHERE, port: 5351, packet: () => Uint8Array.of(0, 0), read: () => undefined };
  await expect(askUdp(question, hastyClock, never)).rejects.toMatchObject({ code: 'not-found' });
});

test('the address towards a router is the one of this machine in its network', async () => {
  expect(await localAddressTowards('127.0.0.9', 5351)).toBe('127.0.0.1');
});
