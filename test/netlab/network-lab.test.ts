import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SERVER_ADDRESS, SERVER_ADDRESS6 } from './addresses.ts';
import { readHomePlan } from './home-plan.ts';
import { NetworkLab, whyNoLab } from './network-lab.ts';

const reason = await whyNoLab();
if (reason !== undefined) console.warn(`SKIPPED: the network laboratory: ${reason}`);

const PROBE = path.join(import.meta.dirname, 'nat-probe.ts');
const REACH = path.join(import.meta.dirname, 'reach.ts');
const LISTEN = path.join(import.meta.dirname, 'listen.ts');
const LEFT_BEHIND = path.join(import.meta.dirname, 'left-behind.ts');

const POLL = { timeout: 30_000, interval: 200 };

interface Seen {
  readonly outside: readonly string[];
  readonly strangers: readonly string[];
  readonly tcp: readonly number[];
}

const KINDS: Record<string, { plan: string; ports: number; strangers: string[]; tcp: number[] }> = {
  open: { plan: 'open', ports: 1, strangers: ['other-address', 'other-port'], tcp: [80, 443, 8080] },
  cone: { plan: 'cone', ports: 1, strangers: [], tcp: [80, 443, 8080] },
  full: { plan: 'fullcone', ports: 1, strangers: ['other-address', 'other-port'], tcp: [80, 443, 8080] },
  symm: { plan: 'symmetric', ports: 3, strangers: [], tcp: [80, 443, 8080] },
  narrow: { plan: 'tcp', ports: 0, strangers: [], tcp: [80, 443, 8080] },
  web: { plan: 'web', ports: 0, strangers: [], tcp: [80, 443] },
  upnp: { plan: 'upnp-v2', ports: 1, strangers: [], tcp: [80, 443, 8080] },
  cgnat: { plan: 'cgnat', ports: 1, strangers: [], tcp: [80, 443, 8080] },
  mobile: { plan: 'cgnat,isp=symmetric', ports: 3, strangers: [], tcp: [80, 443, 8080] },
  lie: { plan: 'lie', ports: 1, strangers: [], tcp: [80, 443, 8080] },
};

describe.skipIf(reason !== undefined)('the network laboratory', () => {
  test('every kind of home behaves as its name says, seen from the server', async () => {
    const plans = Object.entries(KINDS).map(([name, { plan }]) => [name, plan]);
    await using lab = await NetworkLab.start(Object.fromEntries(plans));
    await using server = lab.spawn('server', process.execPath, PROBE, 'serve');
    while (server.lines.length === 0) await delay(20);
    const seen = await Promise.all(
      Object.keys(KINDS).map(async (name) => {
        const told = JSON.parse(await lab.exec(`${name}1`, process.execPath, PROBE, 'ask')) as Seen;
        const addresses = [...new Set(told.outside.map((outside) => outside.split(':')[0]))];
        return { name, ports: told.outside.length, addresses, strangers: told.strangers, tcp: told.tcp };
      }),
    );
    const wanted = Object.entries(KINDS).map(([name, { ports, strangers, tcp }]) => {
      return { name, ports, addresses: ports > 0 ? [lab.home(name).outside] : [], strangers, tcp };
    });
    expect(seen).toEqual(wanted);
  });

  test('IPv6 addresses call out, are not called, and are not there unless they are asked for', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,v6=on', b: 'cgnat,v6=on', c: 'cone', d: 'open,v6=on' });
    await using server = lab.spawn('server', process.execPath, LISTEN, '7100');
    while (server.lines.length === 0) await delay(20);
    const call = async (from: string, address: string, port: number, ...patience: string[]): Promise<string> =>
      (await lab.exec(from, process.execPath, REACH, address, String(port), ...patience)).trim();
    for (const host of ['a1', 'b1', 'd1'])
      expect([host, await call(host, SERVER_ADDRESS6, 7100)]).toEqual([host, 'hello']);
    expect(await call('c1', SERVER_ADDRESS6, 7100)).toMatch(/ENETUNREACH/);
    await using home = lab.spawn('a1', process.execPath, LISTEN, '7101');
    await using provider = lab.spawn('b1', process.execPath, LISTEN, '7101');
    while (home.lines.length === 0 || provider.lines.length === 0) await delay(20);
    const [a, b] = ['a', 'b'].map((name) => lab.home(name).addresses.host6(1));
    expect(await call('server', a ?? '', 7101, 'briefly')).toBe('silence');
    expect(await call('server', b ?? '', 7101, 'briefly')).toBe('silence');
  });

  test('a line is as slow as its plan says', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,delay=60', b: 'open' });
    await using server = lab.spawn('server', process.execPath, LISTEN, '7100');
    while (server.lines.length === 0) await delay(20);
    const milliseconds = async (host: string): Promise<number> =>
      Number(await lab.exec(host, process.execPath, LISTEN, 'time', SERVER_ADDRESS, '7100'));
    // The handshake goes there and back.
    expect(await milliseconds('a1')).toBeGreaterThan(118);
    await expect.poll(() => milliseconds('b1'), POLL).toBeLessThan(100);
  });

  test('a pulled cable cuts a home off, not its network, and a new address is the one seen outside', async () => {
    await using lab = await NetworkLab.start({ a: 'cone,hosts=2' });
    await using server = lab.spawn('server', process.execPath, LISTEN, '7100', 'who');
    await using neighbour = lab.spawn('a2', process.execPath, LISTEN, '7101');
    while (server.lines.length === 0 || neighbour.lines.length === 0) await delay(20);
    const home = lab.home('a');
    const call = async (address: string, port: number, ...patience: string[]): Promise<string> =>
      (await lab.exec('a1', process.execPath, REACH, address, String(port), ...patience)).trim();
    const before = home.outside;
    expect(await call(SERVER_ADDRESS, 7100)).toContain(before);
    await lab.cut('a');
    expect(await call(SERVER_ADDRESS, 7100, 'briefly')).toMatch(/silence|EHOSTUNREACH|ENETUNREACH/);
    expect(await call(home.addresses.host(2), 7101)).toBe('hello');
    await lab.heal('a');
    // Neighbours are asked for anew, which takes a moment.
    const seen = async (): Promise<string> => await call(SERVER_ADDRESS, 7100);
    await expect.poll(seen, POLL).toContain(before);
    expect(await home.changeAddress()).not.toBe(before);
    await expect.poll(seen, POLL).toContain(home.outside);
    await home.reboot();
    await expect.poll(seen, POLL).toContain(home.outside);
    await lab.cut('a2');
    expect(await call(home.addresses.host(2), 7101, 'briefly')).toMatch(/silence|EHOSTUNREACH/);
  });

  test('a run that was killed leaves nothing behind once the next laboratory starts', async () => {
    const child = spawn(process.execPath, [LEFT_BEHIND], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const mine = `spherecast-${child.pid}-`;
    expect(traces(mine)).not.toEqual([]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(traces(mine)).not.toEqual([]);
    await using lab = await NetworkLab.start({});
    expect(lab.places).toEqual(['wan', 'server']);
    expect(traces(mine)).toEqual([]);
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(`lab-${child.pid}-`);
  });

  test('a kind or an option that does not exist is refused before anything is made', async () => {
    const before = traces(`spherecast-${process.pid}-`);
    await expect(NetworkLab.start({ a: 'castle' })).rejects.toThrow('no kind of home: castle');
    await expect(NetworkLab.start({ a: 'cone,moat=on' })).rejects.toThrow('no option of a home: moat=on');
    await expect(NetworkLab.start({ wan: 'cone' })).rejects.toThrow('no name for a home: wan');
    expect(() => readHomePlan('open,hosts=2')).toThrow('one host');
    expect(traces(`spherecast-${process.pid}-`)).toEqual(before);
  });
});

/** What a process has left in the folders of namespaces, of their files, and of temporary files. */
function traces(prefix: string): string[] {
  const folders = ['/run/netns', '/etc/netns', tmpdir()].filter((folder) => existsSync(folder));
  const names = [prefix, prefix.replace('spherecast-', 'spherecast-lab-')];
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => names.some((start) => name.startsWith(start)))
      .map((name) => path.join(folder, name)),
  );
}
