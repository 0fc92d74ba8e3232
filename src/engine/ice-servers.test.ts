import type { LookupAddress } from 'node:dns';
import { expect, test } from 'vitest';
import { FakeXmppPort } from '../../test/fixtures/fake-xmpp-port.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { IceServer } from '../contract/swarm.ts';
import { xml } from '../xmpp/element.ts';
import { IceServers } from './ice-servers.ts';

const hour = 3_600_000;
const own: IceServer = { urls: ['stun:10.0.0.9:3478'], username: '', password: '' };

/** A server whose relay gets a new password with every question, valid for an hour. It names our router, too. */
function world(offers = true, configured: readonly IceServer[] = [], failing = 0) {
  const clock = new VirtualClock();
  const scope = new Scope({ log: silentLogger });
  const told: (readonly IceServer[])[] = [];
  const names = { address: '93.184.216.35', isSilent: false };
  let asked = 0;
  let lookups = 0;
  const port = new FakeXmppPort((payload) => {
    asked += 1;
    if (!offers) throw new AppError('not-found', 'no', { condition: 'service-unavailable' });
    const expires = new Date(clock.now() + hour).toISOString();
    const relay = { type: 'turn', host: '2001:db8::7', port: 3478, username: 'ana', password: `pw${asked}`, expires };
    const stun = xml('service', { type: 'stun', host: 'stun.a.test', port: 3478 });
    const ours = xml('service', { type: 'stun', host: '192.168.1.1', port: 53 });
    return xml('iq', {}, xml(payload.name, { xmlns: 'urn:xmpp:extdisco:2' }, ours, stun, xml('service', relay)));
  });
  const client = Object.assign(port, { connection: { serverAddress: '93.184.216.34' } });
  client.state = { kind: 'offline', error: new AppError('disconnected', 'not yet') };
  const feed = { setIceServers: async (servers: IceServer[]) => void told.push(servers) };
  const resolve = async (): Promise<LookupAddress[]> => {
    lookups += 1;
    if (lookups <= failing || names.isSilent) throw new AppError('not-found', 'no such name');
    return [{ address: names.address, family: 4 }];
  };
  const ownNetworks = (): string[] => ['192.168.1.5/24'];
  const servers = new IceServers({ client, feed, configured, resolve, ownNetworks, scope, clock, log: silentLogger });
  const password = (): string | undefined => told.at(-1)?.at(-1)?.password;
  return { clock, scope, client, told, servers, names, password, questions: () => asked };
}

test('the swarm gets the servers that ours names outside our network, after those of the person, with each new session', async () => {
  const { clock, client, told, questions } = world(true, [own]);
  expect(told).toEqual([[own]]);
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(1);
  expect(told.at(-1)).toEqual([
    own,
    { urls: ['stun:93.184.216.35:3478'], username: '', password: '' },
    { urls: ['turn:[2001:db8::7]:3478?transport=udp'], username: 'ana', password: 'pw1' },
  ]);
  client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  client.setState({ kind: 'online', resumed: true });
  await clock.advance(1);
  expect(questions()).toBe(2);
});

test('a password that expires is replaced while it is still good', async () => {
  const { clock, client, password, questions } = world();
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(hour - 60_000);
  expect(password()).toBe('pw2');
  await clock.advance(24 * hour);
  expect(questions()).toBeLessThan(60);
  expect(Number(password()?.slice(2))).toBe(questions());
});

test('a name that is not known just after the network came is looked up again within seconds, the others serve meanwhile', async () => {
  const { clock, client, told } = world(true, [], 2);
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(1);
  expect(told.at(-1)?.flatMap(({ urls }) => urls)).toEqual(['turn:[2001:db8::7]:3478?transport=udp']);
  await clock.advance(60_000);
  expect(told.at(-1)?.[0]?.urls).toEqual(['stun:93.184.216.35:3478']);
});

test('a name that is not known just after a reconnect leads where it led before, until it is known again', async () => {
  const { clock, client, told, names } = world();
  const stun = () => told.at(-1)?.[0]?.urls;
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(1);
  names.isSilent = true;
  const before = told.length;
  client.setState({ kind: 'offline', error: new AppError('disconnected', 'gone') });
  client.setState({ kind: 'online', resumed: true });
  await clock.advance(1);
  expect([told.length, stun()]).toEqual([before + 1, ['stun:93.184.216.35:3478']]);
  Object.assign(names, { address: '93.184.216.36', isSilent: false });
  await clock.advance(10_000);
  expect([told.length, stun()]).toEqual([before + 2, ['stun:93.184.216.36:3478']]);
});

test('a name that nobody ever knows costs no new passwords, nor an hour without looking', async () => {
  const { clock, client, told, questions } = world(true, [], 1_000_000);
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(hour / 3);
  expect([questions(), told.length]).toEqual([1, 2]);
  await clock.advance(hour / 3);
  expect(questions()).toBe(2);
});

test('a server without such services is asked again hours later, and nobody else is asked instead', async () => {
  const { clock, client, told, questions } = world(false);
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(5 * hour);
  expect(questions()).toBe(1);
  expect(told.every((servers) => servers.length === 0)).toBe(true);
});

test('nothing is asked any more after signing out', async () => {
  const { clock, client, scope, servers, questions } = world();
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(1);
  servers[Symbol.dispose]();
  client.setState({ kind: 'online', resumed: false });
  await clock.advance(3 * hour);
  expect(questions()).toBe(1);
  await scope[Symbol.asyncDispose]();
});
