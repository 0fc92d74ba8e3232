import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connectChannel, processChannel } from '../../src/contract/process-channel.ts';
import type { SwarmContract, SwarmEvent } from '../../src/contract/swarm.ts';
import { eventsOf } from '../fixtures/events-of.ts';
import { SWARM } from '../fixtures/programs.ts';
import { TestDevice } from '../integration/swarm-peer.ts';
import { SERVER_ADDRESS } from './addresses.ts';
import type { Mapping } from './home-plan.ts';
import type { LabProcess } from './lab-process.ts';
import { NetworkLab, whyNoLab } from './network-lab.ts';

const reason = await whyNoLab();
if (reason !== undefined) console.warn(`SKIPPED: the network laboratory: ${reason}`);

const KEEP_PORT = path.join(import.meta.dirname, 'keep-port.ts');
const LIAR = path.join(import.meta.dirname, 'hostile-device.ts');
const REACH = path.join(import.meta.dirname, 'reach.ts');

function keepPort(lab: NetworkLab, host: 'a1' | 'a2', port: number, haste = 1): LabProcess {
  return lab.spawn(host, process.execPath, KEEP_PORT, String(port), String(haste));
}

async function callFromOutside(lab: NetworkLab, port: number, address = lab.home('a').outside): Promise<string> {
  return (await lab.exec('server', process.execPath, REACH, address, String(port))).trim();
}

/** The same where nobody is expected to answer. */
async function callInVain(lab: NetworkLab, port: number, address = lab.home('a').outside): Promise<string> {
  return (await lab.exec('server', process.execPath, REACH, address, String(port), 'briefly')).trim();
}

async function until<T>(what: string, find: () => T | undefined | Promise<T | undefined>, ms = 45_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await delay(50);
  }
}

function lastState(program: LabProcess): unknown {
  const line = program.lines.at(-1);
  return line === undefined ? undefined : JSON.parse(line);
}

/** The host hears no announcements of routers. */
async function deafen(lab: NetworkLab): Promise<void> {
  await lab.exec('a1', 'nft', 'add table inet deaf');
  await lab.exec('a1', 'nft', 'add chain inet deaf input { type filter hook input priority 0; }');
  await lab.exec('a1', 'nft', 'add rule inet deaf input udp dport 5350 drop');
}

function openPinhole(program: LabProcess): unknown {
  const line = program.lines.findLast((text) => text.startsWith('['));
  return line?.includes('"open":true') === true ? JSON.parse(line) : undefined;
}

describe.skipIf(reason !== undefined)('on a real router', () => {
  const routers: [Mapping, string][] = [
    ['upnp-v2', 'upnp'],
    ['upnp-v1', 'upnp'],
    ['pmp', 'nat-pmp'],
    ['pcp', 'pcp'],
    ['all', 'pcp|nat-pmp|upnp'],
  ];
  test.each(routers)('%s: a kept port is reached from outside and closed at the end', async (kind, via) => {
    await using lab = await NetworkLab.start({ a: `${kind},hosts=2` });
    await using program = keepPort(lab, 'a1', 40_001);
    const state = await until('the open port', () => lastState(program));
    expect(state).toEqual({
      kind: 'open',
      via: expect.stringMatching(new RegExp(`^(${via})$`)),
      address: lab.home('a').outside,
      port: 40_001,
    });
    expect(await lab.home('a').forwarded()).toEqual(['40001 192.168.11.11:40001']);
    expect(await callFromOutside(lab, 40_001)).toBe('hello from home');
    expect(await callInVain(lab, 40_002)).toBe('silence');
    await program.end('SIGTERM');
    expect(await lab.home('a').forwarded()).toEqual([]);
    expect(await callInVain(lab, 40_001)).toBe('silence');
  });

  test.each(['upnp-v2', 'upnp-v1', 'pmp'] as const)(
    '%s: when another machine has the port, the port really granted is told',
    async (kind) => {
      await using lab = await NetworkLab.start({ a: `${kind},hosts=2` });
      await using first = keepPort(lab, 'a2', 40_001);
      await until('the first port', () => lastState(first));
      await using second = keepPort(lab, 'a1', 40_001);
      const state = await until('the second port', () => lastState(second));
      const port = Number(Object.entries(state ?? {}).find(([name]) => name === 'port')?.[1]);
      expect(port).not.toBe(40_001);
      expect(await callFromOutside(lab, port)).toBe('hello from home');
      await second.end('SIGTERM');
      expect(await lab.home('a').forwarded()).toEqual(['40001 192.168.11.12:40001']);
    },
  );

  test.each(['all', 'upnp-v2', 'pcp'] as const)(
    '%s: a program that was killed opens the same port again',
    async (kind) => {
      await using lab = await NetworkLab.start({ a: `${kind},hosts=2` });
      await using killed = keepPort(lab, 'a1', 40_001);
      await until('the port', () => lastState(killed));
      await killed.end('SIGKILL');
      // Until then the port closes by itself, within twenty minutes.
      const leases = await lab.home('a').leases();
      expect(leases.filter((seconds) => seconds > 0 && seconds <= 1_200)).toHaveLength(1);
      await using again = keepPort(lab, 'a1', 40_001);
      expect(await until('the port again', () => lastState(again))).toMatchObject({ kind: 'open', port: 40_001 });
      expect(await callFromOutside(lab, 40_001)).toBe('hello from home');
      await again.end('SIGTERM');
      expect(await lab.home('a').forwarded()).toEqual([]);
    },
  );

  test.each(['upnp-v2', 'pmp'] as const)(
    '%s: a router that lost power unheard gets the mapping again',
    async (kind) => {
      await using lab = await NetworkLab.start({ a: `${kind},hosts=2` });
      await deafen(lab);
      await using program = keepPort(lab, 'a1', 40_001, 40);
      await until('the open port', () => lastState(program));
      // The restart shows in the router's clock, which must be ahead of the time since the last check.
      await delay(4_000);
      await lab.home('a').reboot();
      expect(await lab.home('a').forwarded()).toEqual([]);
      await until('the mapping', async () => ((await lab.home('a').forwarded()).length === 1 ? true : undefined));
      expect(await callFromOutside(lab, 40_001)).toBe('hello from home');
    },
  );

  test.each(['pmp', 'pcp'] as const)('%s: two programs of a machine hear a restart at once', async (kind) => {
    await using lab = await NetworkLab.start({ a: kind });
    await using first = keepPort(lab, 'a1', 40_001);
    await using second = keepPort(lab, 'a1', 40_002);
    await until('both ports', () => (lastState(first) && lastState(second)) ?? undefined);
    await delay(4_000);
    await lab.home('a').reboot();
    await until(
      'both mappings',
      async () => ((await lab.home('a').forwarded()).length === 2 ? true : undefined),
      30_000,
    );
    expect(await callFromOutside(lab, 40_001)).toBe('hello from home');
    expect(await callFromOutside(lab, 40_002)).toBe('hello from home');
  });

  test('upnp-v2: a router that restarted unheard gets the mapping again when somebody suspects it', async () => {
    await using lab = await NetworkLab.start({ a: 'upnp-v2,v6=on' });
    await using program = keepPort(lab, 'a1', 40_001);
    await until('the pinhole', () => openPinhole(program));
    await until('the open port', () => program.lines.find((line) => line.includes('"via"')));
    await lab.home('a').reboot();
    expect(await lab.home('a').forwarded()).toEqual([]);
    program.child.kill('SIGUSR2');
    await until('the mapping', async () => ((await lab.home('a').forwarded()).length === 1 ? true : undefined), 30_000);
    await until('the pinhole', async () => ((await lab.home('a').pinholes()).length === 1 ? true : undefined), 30_000);
    expect(await callFromOutside(lab, 40_001)).toBe('hello from home');
  });

  test('pcp: a changed public address is told at the next check', async () => {
    await using lab = await NetworkLab.start({ a: 'pcp' });
    await deafen(lab);
    await using program = keepPort(lab, 'a1', 40_001, 15);
    await until('the open port', () => lastState(program));
    const address = await lab.home('a').changeAddress();
    await until('the new address', () => program.lines.find((line) => line.includes(address)));
    expect(await callFromOutside(lab, 40_001)).toBe('hello from home');
  });

  test.each(['pcp', 'upnp-v2'] as const)(
    '%s: a pinhole for IPv6 is called through, and closed at the end',
    async (kind) => {
      await using lab = await NetworkLab.start({ a: `${kind},v6=on` });
      const address = lab.home('a').addresses.host6(1);
      await using program = keepPort(lab, 'a1', 40_001);
      expect(await until('the pinhole', () => openPinhole(program))).toEqual([{ address, port: 40_001, open: true }]);
      expect(await lab.home('a').pinholes()).toEqual([`${address} 40001`]);
      expect(await callFromOutside(lab, 40_001, address)).toBe('hello from home');
      expect(await callInVain(lab, 40_002, address)).toBe('silence');
      await program.end('SIGTERM');
      expect(await lab.home('a').pinholes()).toEqual([]);
      expect(await callInVain(lab, 40_001, address)).toBe('silence');
    },
  );

  test('a device that lies a thousand times leads to no call of anybody', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    const { router, host } = lab.home('a').addresses;
    await using liar = lab.spawn('a2', process.execPath, LIAR, SERVER_ADDRESS, router, host(1), '127.0.0.1');
    await until('the liar', () => liar.lines.find((line) => line === 'ready'));
    await lab.exec('a1', 'nft', 'add table inet calls');
    await lab.exec('a1', 'nft', 'add chain inet calls output { type filter hook output priority 0; }');
    await lab.exec('a1', 'nft', 'add rule inet calls output meta l4proto tcp counter');
    await using program = keepPort(lab, 'a1', 40_001);
    expect(await until('an answer', () => lastState(program))).toEqual({ kind: 'closed' });
    await until('a thousand lies', () => (Number(liar.lines.at(-1)) >= 1_000 ? true : undefined));
    expect(await lab.exec('a1', 'nft', 'list', 'table', 'inet', 'calls')).toContain('packets 0 ');
  });

  test('a tunnel with its own router beside the line at home does not keep the port closed', async () => {
    await using lab = await NetworkLab.start({ a: 'all' });
    // Preferred by the system, and nobody answers there.
    await lab.exec('a1', 'ip', 'link', 'add', 'tun0', 'type', 'veth', 'peer', 'name', 'tun1');
    await lab.exec('a1', 'ip', 'addr', 'add', '10.8.0.2/24', 'dev', 'tun0');
    await lab.exec('a1', 'ip', 'link', 'set', 'tun0', 'up');
    await lab.exec('a1', 'ip', 'link', 'set', 'tun1', 'up');
    const [home] = (await lab.exec('a1', 'ip', 'route', 'show', 'default')).match(/[\d.]{7,}/) ?? [];
    await lab.exec('a1', 'ip', 'route', 'del', 'default');
    await lab.exec('a1', 'ip', 'route', 'add', 'default', 'via', home ?? '', 'metric', '100');
    await lab.exec('a1', 'ip', 'route', 'add', 'default', 'via', '10.8.0.1', 'metric', '50');
    await using program = keepPort(lab, 'a1', 40_001);
    expect(await until('the open port', () => lastState(program))).toMatchObject({ kind: 'open', port: 40_001 });
    expect(await lab.home('a').forwarded()).toEqual(['40001 192.168.11.11:40001']);
  });

  test('a router that shares its outside address with other homes is not told as reachable', async () => {
    await using lab = await NetworkLab.start({ a: 'all,isp=cone' });
    await using program = keepPort(lab, 'a1', 40_001);
    const state = await until('an answer', () => lastState(program));
    expect(state).toMatchObject({ kind: 'unreachable' });
  });

  test('a machine without a router says nothing', async () => {
    await using lab = await NetworkLab.start({ a: 'all' });
    const said = await lab.countRouterTalk('a1');
    await lab.exec('a1', 'ip', 'route', 'del', 'default');
    await using program = keepPort(lab, 'a1', 40_001);
    expect(await until('an answer', () => lastState(program))).toEqual({ kind: 'closed' });
    expect(await said()).toBe(0);
  });

  test('a router that maps no ports costs nothing but the mapping', async () => {
    await using lab = await NetworkLab.start({ a: 'cone' });
    await using program = keepPort(lab, 'a1', 40_001);
    expect(await until('an answer', () => lastState(program))).toEqual({ kind: 'closed' });
    await program.end('SIGTERM');
    expect(program.child.exitCode).toBe(0);
  });
});

describe.skipIf(reason !== undefined)('the swarm behind a router', () => {
  test('tells members the outside addresses of its data and tracker ports, which are reached', async () => {
    await using lab = await NetworkLab.start({ a: 'upnp-v2' });
    const child = lab.fork('a1', SWARM);
    const client = connectChannel<SwarmContract>(processChannel(child));
    const { dataPort, trackerPort } = await client.start(startOptions(true));
    const stop = new AbortController();
    const events = await client.events(undefined, { signal: stop.signal });
    const outside = [`${lab.home('a').outside}:${dataPort}`, `http://${lab.home('a').outside}:${trackerPort}/`];
    const told: SwarmEvent[] = [];
    for await (const event of eventsOf(events)) {
      told.push(event);
      if (event.kind === 'candidates' && event.mapped !== null && event.trackers[0]?.startsWith(outside[1] ?? ''))
        break;
    }
    const candidates = told.at(-1);
    expect(candidates).toMatchObject({ kind: 'candidates', mapped: outside[0] });
    expect(candidates?.kind === 'candidates' ? candidates.endpoints[0] : undefined).toBe(outside[0]);
    expect(await lab.home('a').forwarded()).toHaveLength(2);
    // The listener waits for the caller's admission and tells a stranger nothing.
    expect(await callFromOutside(lab, dataPort)).not.toMatch(/ECONNREFUSED|EHOSTUNREACH/);
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
    expect(await lab.home('a').forwarded()).toEqual([]);
  });

  test('says nothing to the router when it may not map ports', async () => {
    await using lab = await NetworkLab.start({ a: 'all' });
    const said = await lab.countRouterTalk('a1');
    const child = lab.fork('a1', SWARM);
    const client = connectChannel<SwarmContract>(processChannel(child));
    await client.start(startOptions(false));
    await delay(700);
    // Nor when it listens where no router can forward to.
    await client.start({ ...startOptions(true), addresses: ['127.0.0.1'] });
    await delay(700);
    expect(await said()).toBe(0);
    await client.start(startOptions(true));
    await until('a mapping', async () => ((await lab.home('a').forwarded()).length === 2 ? true : undefined));
    expect(await said()).toBeGreaterThan(0);
  });
});

function startOptions(mapPorts: boolean) {
  const device = new TestDevice();
  const limits = { up: 0, down: 0 };
  return { deviceKey: device.key, devicePrivateKey: device.privateKey, dataPort: 0, addresses: [], mapPorts, limits };
}
