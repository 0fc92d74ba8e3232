import { describe, expect, test } from 'vitest';
import {
  fakeAttempts,
  fakeFacts,
  fakeLackingServer,
  fakeNetwork,
  fakePort,
  fakeServer,
} from '../../../test/fixtures/fake-doctor.ts';
import { ME } from '../../../test/fixtures/fake-views.ts';
import type { DoctorFacts } from '../../contract/doctor.ts';
import type { NetworkState } from '../../contract/swarm.ts';
import { diagnose } from './diagnose.ts';

const codesOf = (facts: DoctorFacts): string[] => diagnose(facts).map(({ code }) => code);
const ofArea = (area: string, facts: DoctorFacts): string[] =>
  diagnose(facts).flatMap((finding) => (finding.area === area ? [finding.code] : []));
const withNetwork = (more: Partial<NetworkState>): DoctorFacts => fakeFacts({ network: fakeNetwork(more) });
const [disk] = fakeFacts().disks;
const withDisk = (more: object): DoctorFacts => fakeFacts({ disks: disk === undefined ? [] : [{ ...disk, ...more }] });
const home = { name: 'eth0', address: '192.168.1.20', family: 4, discovery: 'on' } as const;
const noFeatures = { rooms: true, personalNodes: true, archive: true, carbons: true, helpers: false };

test('where everything works, one good word is said of each part', () => {
  expect(codesOf(fakeFacts())).toEqual([
    'server-reached',
    'transfers-ready',
    'router-open',
    'ipv6-open',
    'nearby-on',
    'helper-relay',
    'disk-room',
    'clock-right',
  ]);
});

test('nothing is said of what is not known yet', () => {
  expect(codesOf(fakeFacts({ server: null, network: null, disks: [] }))).toEqual(['transfers-ready']);
});

describe('the server', () => {
  const account = { jid: ME, state: 'online', error: null } as const;
  test.each<[string, Partial<DoctorFacts>, string[]]>([
    ['nobody is signed in', { account: null }, ['signed-out']],
    ['it is being connected', { account: { ...account, state: 'connecting' } }, ['server-connecting']],
    ['it is away', { account: { ...account, state: 'offline', error: 'server-unreachable' } }, ['server-away']],
    ['it refuses the password', { account: { ...account, state: 'failed' } }, ['sign-in-refused']],
    ['it is slow', { server: fakeServer({ roundTripMs: 4000 }) }, ['server-reached', 'server-slow']],
    ['it does not answer', { server: fakeServer({ roundTripMs: null }) }, ['server-reached', 'server-silent']],
    ['it resumes nothing', { server: fakeServer({ resumes: false }) }, ['server-reached', 'server-breaks-off']],
    [
      'it keeps nothing for those who are away',
      { server: fakeServer({ features: { ...noFeatures, archive: false } }) },
      ['server-reached', 'server-forgets'],
    ],
    [
      'it does less than it should',
      { server: fakeLackingServer('carbons', 'room-archive') },
      ['server-reached', 'server-lacks'],
    ],
    ['it lacks a comfort only', { server: fakeLackingServer('channel-binding', 'relays', 'time') }, ['server-reached']],
    [
      'it has no rooms',
      { server: fakeServer({ features: { ...noFeatures, rooms: false, archive: false } }) },
      ['server-unfit'],
    ],
  ])('%s', (_, more, codes) => {
    expect(ofArea('server', fakeFacts(more))).toEqual(codes);
  });

  test('nothing else is said of the network when nobody is signed in', () => {
    expect(codesOf(fakeFacts({ account: null, server: null, network: null, disks: [] }))).toEqual(['signed-out']);
  });

  test('the reason why it is away is told', () => {
    const facts = fakeFacts({ account: { ...account, state: 'offline', error: 'bad-certificate' } });
    expect(diagnose(facts)[0]?.params).toEqual({ error: 'bad-certificate' });
  });
});

describe('the router', () => {
  const cases: [string, Partial<NetworkState>, string][] = [
    ['opens a door', { ports: [fakePort({ via: 'upnp' })] }, 'router-open'],
    ['does not answer', { ports: [fakePort({ state: 'closed', via: null })] }, 'router-closed'],
    ['is still looked for', { ports: [fakePort({ state: 'searching', via: null })] }, 'router-searching'],
    ['was not asked', { ports: [fakePort({ state: 'unmapped', via: null })] }, 'router-not-asked'],
    ['shares its address with others', { ports: [fakePort({ state: 'unreachable' })] }, 'router-shared'],
    ['says open, and nobody has tried', { ports: [fakePort({ state: 'unconfirmed' })] }, 'router-unconfirmed'],
    [
      'opens nothing, but a person forwarded an extra port',
      { ports: [fakePort({ state: 'closed', via: null }), fakePort({ purpose: 'extra', port: 443, via: null })] },
      'router-open',
    ],
    ['says open and is not', { ports: [fakePort({ state: 'lied' })] }, 'router-lied'],
    [
      'opens the door of the data although not that of the tracker',
      { ports: [fakePort(), fakePort({ purpose: 'tracker', state: 'closed' })] },
      'router-open',
    ],
    [
      'is not there, because the computer stands in the open',
      { ports: [fakePort({ state: 'closed', via: null })], interfaces: [{ ...home, address: '8.8.8.8' }] },
      'router-not-needed',
    ],
  ];
  test.each(cases)('%s', (_, more, code) => {
    expect(ofArea('router', withNetwork(more))).toEqual([code]);
  });

  test('the way in which it was asked is told', () => {
    const { params } = diagnose(withNetwork({ ports: [fakePort({ via: 'upnp' })] })).find(
      ({ area }) => area === 'router',
    ) ?? { params: {} };
    expect(params).toEqual({ via: 'upnp' });
  });
});

describe('the rest of the network', () => {
  const interfaces = [home];
  const closed = { ports: [fakePort({ state: 'closed', via: null })], pinholes: [], interfaces };
  const global = { ...home, address: '2a01:4f8::7', family: 6 } as const;
  const cases: [string, string, Partial<NetworkState>, string][] = [
    ['an IPv6 door that stands open', 'ipv6', {}, 'ipv6-open'],
    ['an IPv6 address behind a closed door', 'ipv6', { pinholes: [], interfaces: [global] }, 'ipv6-guarded'],
    ['no IPv6', 'ipv6', closed, 'ipv6-none'],
    [
      'a home address is no IPv6',
      'ipv6',
      { pinholes: [], interfaces: [{ ...global, address: 'fd00::1' }] },
      'ipv6-none',
    ],
    ['members looked for nearby', 'nearby', {}, 'nearby-on'],
    ['switched off', 'nearby', { interfaces: [{ ...home, discovery: 'off' }] }, 'nearby-off'],
    [
      'one of two networks failed',
      'nearby',
      { interfaces: [home, { ...home, name: 'wlan0', discovery: 'failed' }] },
      'nearby-failed',
    ],
    ['a helper that carries', 'helpers', {}, 'helper-relay'],
    [
      'a helper that nobody came through',
      'helpers',
      { attempts: fakeAttempts('Ben', { turn: 'unreachable' }) },
      'helper-silent',
    ],
    [
      'a helper that carries one of two',
      'helpers',
      { attempts: [...fakeAttempts('Ben', { turn: 'unreachable' }), ...fakeAttempts('Ann', { turn: 'connected' })] },
      'helper-relay',
    ],
    ['a helper that introduces', 'helpers', { iceServers: { stun: 1, turn: 0 } }, 'helper-introduces'],
    ['none, and the door is open', 'helpers', { iceServers: { stun: 0, turn: 0 } }, 'helper-not-needed'],
    ['none, and the door is closed', 'helpers', { ...closed, iceServers: { stun: 0, turn: 0 } }, 'helper-missing'],
    ['helpers that cannot be used', 'helpers', { webrtc: 'unavailable' }, 'helper-unusable'],
  ];
  test.each(cases)('%s', (_, area, more, code) => {
    expect(ofArea(area, withNetwork(more))).toEqual([code]);
  });

  test('no network at all is a problem only while the server is away too', () => {
    const network = fakeNetwork({ interfaces: [] });
    expect(ofArea('nearby', fakeFacts({ network }))).toEqual(['nearby-off']);
    const account = { jid: ME, state: 'offline', error: 'server-unreachable' } as const;
    expect(ofArea('nearby', fakeFacts({ network, account }))).toEqual(['network-none']);
  });

  test('a door the system refused is told with its number and reason', () => {
    const extra = fakePort({ purpose: 'extra', port: 443, state: 'closed', via: null, failure: 'EACCES' });
    const found = diagnose(withNetwork({ ports: [fakePort(), extra] })).find(
      ({ code }) => code === 'extra-door-closed',
    );
    expect(found?.params).toEqual({ number: 443, why: 'EACCES' });
  });
});

describe('disk and clock', () => {
  const cases: [string, DoctorFacts, string, string[]][] = [
    ['much room', withDisk({ freeBytes: 5_000_000_000 }), 'disk', ['disk-room']],
    ['little room', withDisk({ freeBytes: 4_000_000_000 }), 'disk', ['disk-low']],
    ['no room', withDisk({ freeBytes: 100_000_000 }), 'disk', ['disk-full']],
    ['a folder that cannot be written', withDisk({ writable: false }), 'disk', ['disk-locked']],
    ['room that cannot be told', withDisk({ freeBytes: null }), 'disk', ['disk-room']],
    ['no sphere', fakeFacts({ disks: [] }), 'disk', []],
    ['a minute ahead', fakeFacts({ server: fakeServer({ clockAheadMs: 60_000 }) }), 'clock', ['clock-right']],
    ['more than a minute ahead', fakeFacts({ server: fakeServer({ clockAheadMs: 61_000 }) }), 'clock', ['clock-wrong']],
    ['a server without a clock', fakeFacts({ server: fakeServer({ clockAheadMs: null }) }), 'clock', ['clock-unknown']],
  ];
  test.each(cases)('%s', (_, facts, area, codes) => {
    expect(ofArea(area, facts)).toEqual(codes);
  });

  test('a clock that is behind says so', () => {
    const facts = fakeFacts({ server: fakeServer({ clockAheadMs: -3_600_000 }) });
    expect(diagnose(facts).at(-1)?.params).toEqual({ ms: 3_600_000, direction: 'behind' });
  });

  test('the smallest of several disks is the one that counts', () => {
    const disks = [1, 2].flatMap((factor) => (disk === undefined ? [] : [{ ...disk, freeBytes: factor * 1e11 }]));
    expect(diagnose(fakeFacts({ disks })).find(({ area }) => area === 'disk')?.params).toEqual({ bytes: 1e11 });
  });
});
