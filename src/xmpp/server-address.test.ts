import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { findServerAddresses, type SrvRecord } from './server-address.ts';

const never = new AbortController().signal;

function find(records: Readonly<Record<string, readonly SrvRecord[]>>): ReturnType<typeof findServerAddresses> {
  const resolver = async (name: string): Promise<readonly SrvRecord[]> => {
    const found = records[name];
    if (found === undefined) throw new Error('ENOTFOUND');
    return found;
  };
  const deps = { clock: systemClock, random: systemRandom, log: silentLogger, resolver };
  return findServerAddresses('a.test', deps, never);
}

test('a domain without records is its own server', async () => {
  expect(await find({})).toEqual([{ host: 'a.test', port: 5222, directTls: false }]);
});

test('both kinds of records are tried in the order of their priorities', async () => {
  const addresses = await find({
    '_xmpps-client._tcp.a.test': [{ name: 'late.a.test', port: 443, priority: 10, weight: 1 }],
    '_xmpp-client._tcp.a.test': [
      { name: 'last.a.test', port: 5223, priority: 20, weight: 1 },
      { name: 'first.a.test.', port: 5222, priority: 5, weight: 0 },
    ],
  });
  expect(addresses).toEqual([
    { host: 'first.a.test', port: 5222, directTls: false },
    { host: 'late.a.test', port: 443, directTls: true },
    { host: 'last.a.test', port: 5223, directTls: false },
  ]);
});

test('a record that says "no such service" is no address', async () => {
  const addresses = await find({
    '_xmpps-client._tcp.a.test': [{ name: '.', port: 0, priority: 0, weight: 0 }],
    '_xmpp-client._tcp.a.test': [{ name: 'x.a.test', port: 5222, priority: 0, weight: 0 }],
  });
  expect(addresses).toEqual([{ host: 'x.a.test', port: 5222, directTls: false }]);
});

test('any records give a few usable addresses', async () => {
  const record = fc.record({
    name: fc.constantFrom('x.a.test', '.', '', 'y.'),
    port: fc.integer({ min: -1, max: 70_000 }),
    priority: fc.nat({ max: 3 }),
    weight: fc.nat({ max: 65_535 }),
  });
  const property = fc.asyncProperty(fc.array(record, { maxLength: 30 }), async (records) => {
    const addresses = await find({ '_xmpp-client._tcp.a.test': records });
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.length).toBeLessThanOrEqual(8);
    expect(addresses.every(({ host, port }) => host !== '' && port > 0 && port < 65_536)).toBe(true);
  });
  await fc.assert(property);
});
