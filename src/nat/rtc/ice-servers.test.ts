import { describe, expect, test } from 'vitest';
import { chooseIceServers, withoutRelays } from './ice-servers.ts';

describe('ICE servers', () => {
  test('without any given, none is asked', () => {
    expect(chooseIceServers([])).toEqual({ usable: [], ignored: [] });
  });

  test('STUN and TURN over UDP are used, with the usual port when none is named', () => {
    const turn = {
      urls: ['turn:turn.example:3479?transport=udp', 'turn:[2001:db8::1]'],
      username: 'ana',
      password: 'p:@/',
    };
    expect(chooseIceServers([{ urls: 'stun:stun.example' }, turn]).usable).toEqual([
      { hostname: 'stun.example', port: 3_478 },
      { hostname: 'turn.example', port: 3_479, username: 'ana', password: 'p:@/', relayType: 'TurnUdp' },
      { hostname: '2001:db8::1', port: 3_478, username: 'ana', password: 'p:@/', relayType: 'TurnUdp' },
    ]);
  });

  test.each([
    ['turn:turn.example?transport=tcp', 'not-udp'],
    ['turns:turn.example:443', 'not-udp'],
    ['stuns:stun.example', 'not-udp'],
    ['turn:turn.example', 'no-password'],
    ['http://turn.example', 'malformed'],
    ['stun:', 'malformed'],
    ['stun:a b', 'malformed'],
    ['stun:[::g]', 'malformed'],
    ['stun:stun.example:70000', 'malformed'],
  ])('%s is ignored: %s', (url, reason) => {
    expect(chooseIceServers([{ urls: url }])).toEqual({ usable: [], ignored: [{ url, reason }] });
  });
});

test('where a relay is of no use, the same servers are asked for our address only, each once', () => {
  const names = { username: 'a', password: 'b' };
  const servers = [
    { urls: 'stun:11.22.33.10' },
    { urls: ['turn:11.22.33.10?transport=udp', 'turn:[2a00::1]:3479', 'turn:11.22.33.11?transport=tcp'], ...names },
  ];
  expect(chooseIceServers(withoutRelays(servers))).toEqual({
    usable: [
      { hostname: '11.22.33.10', port: 3_478 },
      { hostname: '2a00::1', port: 3_479 },
    ],
    ignored: [],
  });
});
