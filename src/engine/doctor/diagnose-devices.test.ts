import { expect, test } from 'vitest';
import {
  fakeAttempts,
  fakeDevice,
  fakeFacts,
  fakeLink,
  fakeNetwork,
  fakePort,
} from '../../../test/fixtures/fake-doctor.ts';
import type { DeviceReport } from '../../contract/doctor.ts';
import type { NetworkState } from '../../contract/swarm.ts';
import { diagnoseDevices } from './diagnose-devices.ts';

const home = { name: 'eth0', address: '192.168.1.20', family: 4, discovery: 'on' } as const;
/** Behind a router that opens nothing, without IPv6. */
const CLOSED: Partial<NetworkState> = {
  ports: [fakePort({ state: 'closed', via: null })],
  pinholes: [],
  interfaces: [home],
};

/** What is said of Ben. */
function about(more: Partial<NetworkState>, online = true, waits = false): Omit<DeviceReport, 'device' | 'sphereId'> {
  const facts = fakeFacts({ network: fakeNetwork(more), devices: [fakeDevice('Ben', online, waits)] });
  const [report] = diagnoseDevices(facts);
  if (report === undefined) throw new Error('nothing is said of Ben');
  return report;
}

const everything = { lan: 'no-address', ipv6: 'no-address', tcp: 'no-address', webrtc: 'unreachable' } as const;

test('the best of several paths counts, and in the own network there is no better one', () => {
  const links = [fakeLink('Ben', 'webrtc'), fakeLink('Ben', 'lan'), fakeLink('Chloe', 'tcp')];
  expect(about({ links })).toMatchObject({
    state: 'connected',
    severity: 'ok',
    path: 'lan',
    because: [],
    advice: null,
  });
});

test('a direct path far away says why no better one is there', () => {
  const links = [fakeLink('Ben', 'tcp')];
  const attempts = fakeAttempts('Ben', { lan: 'no-address', ipv6: 'no-address', tcp: 'connected' });
  expect(about({ links, attempts })).toMatchObject({ path: 'tcp', because: ['apart', 'ipv6-theirs'], severity: 'ok' });
  expect(about({ ...CLOSED, links, attempts })).toMatchObject({ because: ['apart', 'ipv6-ours'] });
});

test('over a relay the advice is about our own router first', () => {
  const attempts = fakeAttempts('Ben', { ...everything, turn: 'connected' });
  expect(about({ ...CLOSED, links: [fakeLink('Ben', 'turn')], attempts })).toMatchObject({
    state: 'connected',
    severity: 'warning',
    because: ['apart', 'ipv6-ours', 'doors-closed', 'through-blocked'],
    advice: 'open-router',
  });
});

test.each([
  [fakePort({ state: 'closed', via: null }), 'doors-closed', 'open-router'],
  [fakePort({ state: 'unmapped', via: null }), 'doors-closed', 'open-router'],
  [fakePort({ state: 'unreachable' }), 'door-shared', 'leave-one-on'],
  [fakePort({ state: 'lied' }), 'door-lied', 'restart-router'],
  [fakePort({ state: 'unconfirmed' }), 'door-unused', 'ask-them'],
  [fakePort(), 'door-unused', 'ask-them'],
])('who is not reached is told why and what to do: %o', (port, because, advice) => {
  const attempts = fakeAttempts('Ben', { ...everything, turn: 'unreachable' });
  const report = about({ ports: [port], attempts });
  expect(report).toMatchObject({ state: 'unreached', severity: 'problem', path: null, advice });
  expect(report.because).toContain(because);
});

test.each([
  [{ lan: 'unreachable' }, 'nearby-silent'],
  [{ lan: 'refused' }, 'nearby-refused'],
  [{ ipv6: 'unreachable' }, 'ipv6-silent'],
  [{ ipv6: 'refused' }, 'ipv6-refused'],
  [{ tcp: 'unreachable' }, 'door-silent'],
  [{ tcp: 'refused' }, 'door-refused'],
  [{ webrtc: 'no-address' }, 'through-theirs'],
] as const)('%o is told as %s', (outcome, because) => {
  const attempts = fakeAttempts('Ben', { ...everything, turn: 'unreachable', ...outcome });
  expect(about({ attempts }).because).toContain(because);
});

test('without helpers, without a relay and without the library the reason is ours', () => {
  const attempts = fakeAttempts('Ben', everything);
  expect(about({ attempts, iceServers: { stun: 0, turn: 0 } }).because.slice(-2)).toEqual([
    'through-no-helper',
    'relay-none',
  ]);
  expect(about({ attempts, webrtc: 'unavailable' }).because).toContain('through-ours');
});

test('a relay in use shows that there was nothing direct, also where that is not told', () => {
  const attempts = fakeAttempts('Ben', { ...everything, webrtc: 'untried', turn: 'connected' });
  expect(about({ links: [fakeLink('Ben', 'turn')], attempts }).because).toContain('through-blocked');
});

test('as long as a way is untried, the person is asked to wait', () => {
  const attempts = fakeAttempts('Ben', { lan: 'no-address', tcp: 'unreachable', webrtc: 'untried' });
  expect(about({ attempts })).toMatchObject({ state: 'connecting', advice: 'wait', severity: 'info' });
});

test('who is away, or has nothing to exchange, is no problem', () => {
  expect(about({}, false)).toMatchObject({ state: 'offline', severity: 'info', because: [] });
  expect(about({})).toMatchObject({ state: 'idle', severity: 'info', because: [] });
  expect(about({ attempts: fakeAttempts('Ben', { tcp: 'connected', lan: 'no-address' }) })).toMatchObject({
    state: 'idle',
  });
});

test('who offers ways that nobody needs is idle, and is being connected once something is on its way', () => {
  const attempts = fakeAttempts('Ben', { lan: 'untried', tcp: 'no-address', webrtc: 'untried' });
  expect(about({ attempts })).toMatchObject({ state: 'idle' });
  expect(about({ attempts }, true, true)).toMatchObject({ state: 'connecting', advice: 'wait' });
});

test('who offers no way at all is not reached, when something is on its way', () => {
  const nowhere = { lan: 'no-address', ipv6: 'no-address', tcp: 'no-address', webrtc: 'no-address' } as const;
  const attempts = fakeAttempts('Ben', { ...nowhere, turn: 'no-address' });
  expect(about({ attempts })).toMatchObject({ state: 'idle' });
  expect(about({ ...CLOSED, attempts }, true, true)).toMatchObject({
    state: 'unreached',
    because: ['apart', 'ipv6-ours', 'doors-closed', 'through-theirs', 'relay-silent'],
  });
});

test('a relay that nobody named, and a library that is missing, are no ways that could still be tried', () => {
  const attempts = fakeAttempts('Ben', { ...everything, turn: 'untried' });
  expect(about({ attempts, iceServers: { stun: 1, turn: 0 } }).state).toBe('unreached');
  const untried = fakeAttempts('Ben', { ...everything, tcp: 'unreachable', webrtc: 'untried', turn: 'untried' });
  expect(about({ attempts: untried, webrtc: 'unavailable' }).state).toBe('unreached');
});

test('who is not reached is carried by others of the same sphere, if there are any', () => {
  const attempts = fakeAttempts('Ben', { ...everything, turn: 'unreachable' });
  const devices = [fakeDevice('Ben'), fakeDevice('Chloe')];
  const network = fakeNetwork({ attempts, links: [fakeLink('Chloe', 'tcp')] });
  expect(diagnoseDevices(fakeFacts({ network, devices }))[0]).toMatchObject({
    state: 'carried',
    severity: 'warning',
    path: null,
    advice: 'ask-them',
  });
});

test('a device that is not reached is no problem while its person is reached on another: it may be off', () => {
  const attempts = fakeAttempts('Ben', { ...everything, turn: 'unreachable' });
  const [ben, phone] = [fakeDevice('Ben'), { ...fakeDevice('Chloe'), jid: fakeDevice('Ben').jid }];
  const network = fakeNetwork({ attempts, links: [fakeLink('Chloe', 'tcp')] });
  const [report, other] = diagnoseDevices(fakeFacts({ network, devices: [ben, phone] }));
  expect(report).toMatchObject({ state: 'silent', severity: 'info', path: null, advice: null });
  expect(report?.because).toContain('door-unused');
  expect(other).toMatchObject({ state: 'connected' });
});

test('who is found in the own network is connected, although the server does not list them', () => {
  expect(about({ links: [fakeLink('Ben', 'lan')] }, false)).toMatchObject({ state: 'connected', path: 'lan' });
});

test('before the network is known nobody is called unreached', () => {
  const devices = [fakeDevice('Ben'), fakeDevice('Lise', false)];
  const reports = diagnoseDevices(fakeFacts({ network: null, devices }));
  expect(reports.map(({ state }) => state)).toEqual(['connecting', 'offline']);
});
