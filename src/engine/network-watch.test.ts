import { expect, test } from 'vitest';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { NetworkState, SwarmEvent } from '../contract/swarm.ts';
import type { XmppState } from '../xmpp/port.ts';
import { NetworkWatch } from './network-watch.ts';

const fail = (error: unknown): never => {
  throw error;
};
const gone: XmppState = { kind: 'offline', error: new AppError('disconnected', 'gone') };

function world() {
  const count = { checks: 0, changes: 0, told: 0 };
  const client = { onState: new Emitter<XmppState>(fail), checkNow: () => void (count.checks += 1) };
  const feed = { onEvent: new Emitter<SwarmEvent>(fail), networkChanged: async () => void (count.changes += 1) };
  const exchange = { tellAll: async () => void (count.told += 1) };
  const watch = new NetworkWatch({ client, feed, exchange, scope: new Scope({ log: silentLogger }) });
  const network = (addresses: readonly string[], suspect = 0, outside: string | null = null): void => {
    const interfaces = addresses.map((address) => ({
      name: 'e',
      address,
      family: 4 as const,
      discovery: 'on' as const,
    }));
    const port = { purpose: 'data' as const, port: 1, state: 'open' as const, via: null, outside, failure: null };
    const rest = { pinholes: [], lanHeard: 0, webrtc: 'ready', iceServers: { stun: 0, turn: 0 }, links: [] } as const;
    const state: NetworkState = { ...rest, pinholes: [], links: [], ports: [port], interfaces, suspect, attempts: [] };
    feed.onEvent.emit({ kind: 'network', network: state });
  };
  return { client, count, network, watch };
}

test('the connection to the server is checked when our addresses change', () => {
  const { count, network } = world();
  network(['10.0.0.2']);
  network(['10.0.0.2'], 0, null);
  expect(count.checks).toBe(0);
  network(['10.0.0.2', '10.8.0.1']);
  network(['10.8.0.1', '10.0.0.2']);
  expect(count.checks).toBe(1);
  network(['10.0.0.2', '10.8.0.1'], 0, '198.51.100.1:4000');
  network(['10.0.0.2', '10.8.0.1'], 0, '198.51.100.1:5000');
  expect(count.checks).toBe(2);
  network([], 0, '198.51.100.1:5000');
  expect(count.checks).toBe(3);
});

test('the connection to the server is checked when members’ connections fall silent, not when they recover', () => {
  const { count, network } = world();
  for (const suspect of [0, 2, 2, 1, 0]) network(['10.0.0.2'], suspect);
  expect(count.checks).toBe(1);
  network(['10.0.0.2'], 1);
  expect(count.checks).toBe(2);
});

test('when the connection to the server comes back the swarm is told, and members our addresses, not when it comes first', () => {
  const { client, count, watch } = world();
  const states: XmppState[] = [{ kind: 'connecting' }, { kind: 'online', resumed: false }];
  for (const state of states) client.onState.emit(state);
  expect(count).toMatchObject({ changes: 0, told: 0 });
  for (const state of [gone, ...states, gone, gone, ...states]) client.onState.emit(state);
  expect(count).toMatchObject({ changes: 2, told: 2 });
  watch[Symbol.dispose]();
  for (const state of [gone, ...states]) client.onState.emit(state);
  expect(count.changes).toBe(2);
});
