import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { SphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import type { LanAnnounce } from './lan-announce.ts';
import { formatLanAnnounce, LAN_GROUPS, lanTag, parseLanAnnounce } from './lan-announce.ts';
import { LanDiscovery } from './lan-discovery.ts';
import type { LanInterface, LanListener, LanNetwork } from './lan-network.ts';

const [GROUP_4, GROUP_6] = LAN_GROUPS;
if (GROUP_4 === undefined || GROUP_6 === undefined) throw new Error('both families have a group');
const KEY = new Uint8Array(32).fill(7);
const SPHERE = 'ab'.repeat(32) as SphereId;

/** A cable all discoveries of a test hang on: what one sends, the others hear, itself included. */
class FakeCable {
  readonly packets: LanAnnounce[] = [];
  readonly #listeners = new Map<LanListener, string>();

  /** A machine on the cable; its interface can be pulled out. */
  join(address: string): LanNetwork & { plugged: boolean } {
    const lan: LanInterface = { name: 'eth0', address, cidr: `${address}/24`, group: GROUP_4 ?? failure() };
    const machine = {
      plugged: true,
      interfaces: () => (machine.plugged ? [lan] : []),
      open: (_: LanInterface, onPacket: LanListener) => {
        this.#listeners.set(onPacket, address);
        return Promise.resolve({
          send: (packet: Uint8Array) => this.say(packet, address),
          [Symbol.dispose]: () => void this.#listeners.delete(onPacket),
        });
      },
    };
    return machine;
  }

  get listening(): number {
    return this.#listeners.size;
  }

  say(packet: Uint8Array, from: string): void {
    const announce = parseLanAnnounce(packet);
    if (announce !== undefined) this.packets.push(announce);
    for (const listener of Array.from(this.#listeners.keys())) listener(packet, from);
  }
}

function failure(): never {
  throw new Error('not reached');
}

interface Machine {
  readonly found: string[];
  readonly discovery: LanDiscovery;
  readonly stop: () => Promise<void>;
}

function start(clock: VirtualClock, network: LanNetwork, port: number, keys: readonly Uint8Array[] = [KEY]): Machine {
  const found: string[] = [];
  const discovery = new LanDiscovery({
    clock,
    random: (length) => new Uint8Array(length).fill(port),
    log: silentLogger,
    network,
    spheres: () => [{ sphereId: SPHERE, lanKeys: keys }],
    port: () => port,
    onPeer: (sphereId, endpoint) => found.push(`${sphereId.slice(0, 4)} ${endpoint}`),
  });
  const abort = new AbortController();
  const running = discovery.run(abort.signal).catch(() => undefined);
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
  };
  onTestFinished(stop);
  return { found, discovery, stop };
}

describe('an announcement', () => {
  test('has the form of BEP 14 in both families', () => {
    const tag = lanTag(KEY, Date.UTC(2026, 10, 21, 23, 59));
    const text = (group: typeof GROUP_4): string =>
      Buffer.from(formatLanAnnounce({ port: 6881, cookie: 'c', tags: [tag] }, group ?? failure())[0] ?? []).toString();
    expect(text(GROUP_4)).toBe(
      `BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: ${tag}\r\ncookie: c\r\n\r\n\r\n`,
    );
    expect(text(GROUP_6)).toContain('Host: [ff15::efc0:988f]:6771\r\n');
  });

  test('names a sphere by its key and the day, not by anything of the sphere', () => {
    // HMAC-SHA-256(32 bytes 07, "20778"), first 20 bytes
    expect(lanTag(KEY, Date.UTC(2026, 10, 21))).toBe('36a59d64c329938f969742b5752cbacaf8ee7305');
    expect(lanTag(KEY, Date.UTC(2026, 10, 22))).not.toBe(lanTag(KEY, Date.UTC(2026, 10, 21)));
  });

  test('is read back, in as many packets as it needs', () => {
    const tags = Array.from({ length: 45 }, (_, index) => lanTag(KEY, index * 86_400_000));
    const packets = formatLanAnnounce({ port: 1, cookie: 'x', tags }, GROUP_6 ?? failure());
    expect(packets.map((packet) => packet.length).every((length) => length <= 1_400)).toBe(true);
    expect(packets.flatMap((packet) => parseLanAnnounce(packet)?.tags ?? [])).toEqual(tags);
  });

  test('of any bytes is refused or read, never more than that', () => {
    const line = fc.constantFrom(
      'Port: 7',
      'Port: 70000',
      'Infohash: zz',
      `Infohash: ${'a'.repeat(40)}`,
      'cookie: ',
      ':',
    );
    const packet = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      fc.array(line, { maxLength: 60 }).map((lines) => Buffer.from(['BT-SEARCH * HTTP/1.1', ...lines].join('\r\n'))),
    );
    fc.assert(
      fc.property(packet, (bytes) => {
        const announce = parseLanAnnounce(bytes);
        if (announce === undefined) return;
        expect(announce.port).toBe(7);
        expect(announce.tags.length).toBeLessThanOrEqual(20);
      }),
    );
  });
});

describe('in one network', () => {
  test('two members find each other at once, whoever comes first', async () => {
    const clock = new VirtualClock();
    const cable = new FakeCable();
    const first = start(clock, cable.join('192.168.1.2'), 1_001);
    await clock.advance(60_000);
    const second = start(clock, cable.join('192.168.1.3'), 1_002);
    await clock.advance(100);
    expect(new Set(first.found)).toEqual(new Set(['abab 192.168.1.3:1002']));
    expect(new Set(second.found)).toEqual(new Set(['abab 192.168.1.2:1001']));
  });

  test('members whose epochs or days differ by one still find each other', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 10, 21, 23, 59, 59));
    const tomorrow = new VirtualClock(Date.UTC(2026, 10, 22, 0, 0, 1));
    const cable = new FakeCable();
    const newest = new Uint8Array(32).fill(9);
    const behind = start(clock, cable.join('192.168.1.2'), 1_001, [KEY]);
    await clock.advance(100);
    const ahead = start(tomorrow, cable.join('192.168.1.3'), 1_002, [newest, KEY]);
    await tomorrow.advance(100);
    await clock.advance(2_100);
    expect(behind.found).toContain('abab 192.168.1.3:1002');
    expect(ahead.found).toContain('abab 192.168.1.2:1001');
  });

  test('whoever lacks the key is not told and finds nobody', async () => {
    const clock = new VirtualClock();
    const cable = new FakeCable();
    const member = start(clock, cable.join('192.168.1.2'), 1_001);
    const stranger = start(clock, cable.join('192.168.1.3'), 1_002, [new Uint8Array(32).fill(1)]);
    await clock.advance(20_000);
    expect([...member.found, ...stranger.found]).toEqual([]);
  });

  test('an interface that comes later is announced on, one that goes is left', async () => {
    const clock = new VirtualClock();
    const cable = new FakeCable();
    const network = cable.join('192.168.1.2');
    network.plugged = false;
    const { stop } = start(clock, network, 1_001);
    await clock.advance(20_000);
    expect(cable.packets).toEqual([]);
    network.plugged = true;
    await clock.advance(5_000);
    expect(cable.packets.length).toBeGreaterThan(0);
    network.plugged = false;
    await clock.advance(5_000);
    expect(cable.listening).toBe(0);
    await stop();
  });

  test('a quiet hour costs a packet each five minutes after the first three', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 10, 21, 12));
    const cable = new FakeCable();
    start(clock, cable.join('192.168.1.2'), 1_001);
    await clock.advance(3_600_000);
    expect(cable.packets.length).toBeGreaterThanOrEqual(13);
    expect(cable.packets.length).toBeLessThanOrEqual(15);
  });

  test('a neighbour that floods the network with made-up tags under made-up addresses keeps no member from being heard', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 10, 21, 12));
    const cable = new FakeCable();
    const member = start(clock, cable.join('192.168.1.2'), 1_001);
    await clock.advance(10_000);
    for (let index = 0; index < 3_000; index += 1) {
      const tags = [index.toString(16).padStart(40, '0')];
      const packet = formatLanAnnounce({ port: 2_000, cookie: `c${index}`, tags }, GROUP_4 ?? failure())[0];
      cable.say(packet ?? failure(), `192.168.1.${3 + (index % 200)}`);
    }
    const tags = [lanTag(KEY, clock.now())];
    const packet = formatLanAnnounce({ port: 1_002, cookie: 'ben', tags }, GROUP_4 ?? failure())[0];
    cable.say(packet ?? failure(), '192.168.1.250');
    expect(member.found).toHaveLength(1);
  });

  test('a neighbour that repeats a member’s tag from made-up addresses keeps no member from being heard', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 10, 21, 12));
    const cable = new FakeCable();
    const member = start(clock, cable.join('192.168.1.2'), 1_001);
    await clock.advance(10_000);
    const tags = [lanTag(KEY, clock.now())];
    const say = (port: number, from: string): void => {
      const packet = formatLanAnnounce({ port, cookie: `c${from}`, tags }, GROUP_4 ?? failure())[0];
      cable.say(packet ?? failure(), from);
    };
    for (let index = 0; index < 600; index += 1) say(2_000, `192.168.1.${3 + (index % 30)}`);
    say(1_002, '192.168.1.250');
    expect(member.found).toHaveLength(401);
    expect(member.found.at(-1)).toBe('abab 192.168.1.250:1002');
  });

  test('a flood of forged announcements is answered no more than each two seconds and heard no more than the bound', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 10, 21, 12));
    const cable = new FakeCable();
    const member = start(clock, cable.join('192.168.1.2'), 1_001);
    await clock.advance(10_000);
    cable.packets.length = 0;
    const tag = lanTag(KEY, clock.now());
    for (let index = 0; index < 10_000; index += 1) {
      const packet = formatLanAnnounce({ port: 2_000, cookie: `c${index}`, tags: [tag] }, GROUP_4 ?? failure())[0];
      cable.say(packet ?? failure(), `192.168.1.${3 + (index % 200)}`);
    }
    expect(member.found.length).toBeLessThanOrEqual(4 * 200);
    cable.packets.length = 0;
    await clock.advance(9_000);
    expect(cable.packets.length).toBeLessThanOrEqual(5);
  });
});
