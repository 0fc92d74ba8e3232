import { missingPrograms } from '../fixtures/missing-programs.ts';
import { NetworkLab, whyNoLab } from '../netlab/network-lab.ts';
import type { Path } from '../netlab/path-meter.ts';
import { PathMeter, PATHS } from '../netlab/path-meter.ts';
import { RELAY, startRelay } from '../netlab/relay.ts';
import { RtcPair } from '../netlab/rtc-pair.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, MissingPeer, runBench } from './parts/report.ts';

/**
 * A stream over a WebRTC data channel, beside plain TCP by a port that the router forwards, between two processes in two
 * homes behind cone routers. Only STUN is told to them, and the packets that arrive are counted by path.
 */
const PEER_NAME = 'TCP';
/** More takes long over WebRTC and shows nothing else. */
const MOST_BYTES = 2 ** 28;
const HOSTS = ['a1', 'b1'] as const;
const STUN = RELAY.slice(0, 1);

type Measure = 'mbits' | 'sendCpu' | 'receiveCpu' | 'direct';
type Measured = Readonly<Record<Measure, number>>;

interface Round {
  readonly ours: Measured;
  readonly peer: Measured;
}

/** `sendCpu` and `receiveCpu` are seconds for a GiB, all threads; `direct` the per cent that came over direct WebRTC. */
async function whole(pair: RtcPair, bytes: number, meter: PathMeter): Promise<Measured> {
  const before = await meter.bytes();
  const received = await pair.far.hear('received');
  if (received.bytes !== bytes) throw new Error(`${received.bytes} bytes arrived instead of ${bytes}`);
  const sent = await pair.near.hear('sent');
  const after = await meter.bytes();
  const gib = bytes / 2 ** 30;
  return {
    mbits: (bytes * 8) / 1e3 / received.ms,
    sendCpu: sent.cpuMs / 1e3 / gib,
    receiveCpu: received.cpuMs / 1e3 / gib,
    direct: directShare(before, after),
  };
}

function directShare(before: Record<Path, number>, after: Record<Path, number>): number {
  const came = (path: Path): number => after[path] - before[path];
  return (100 * came('webrtc')) / PATHS.reduce((sum, path) => sum + came(path), 0);
}

async function measureOurs(lab: NetworkLab, bytes: number, meter: PathMeter): Promise<Measured> {
  const pair = new RtcPair(lab, HOSTS, STUN);
  pair.near.call({ call: 'send', bytes });
  const result = await whole(pair, bytes, meter);
  const codes = await Promise.all([pair.near.quit(), pair.far.quit()]);
  if (codes.some((code) => code !== 0)) throw new Error(`a peer ended with ${codes.join(', ')}`);
  return result;
}

async function measurePeer(lab: NetworkLab, bytes: number, meter: PathMeter): Promise<Measured> {
  const pair = new RtcPair(lab, HOSTS);
  pair.far.call({ call: 'listen-tcp' });
  const { port } = await pair.far.hear('listening');
  const home = lab.homeOf(HOSTS[1]);
  await home.forward(port, 1);
  pair.near.call({ call: 'send-tcp', bytes, address: home.outside, port });
  const result = await whole(pair, bytes, meter);
  await Promise.all([pair.near.quit(), pair.far.quit()]);
  return result;
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  const reason = (await whyNoLab()) ?? missingPrograms('turnserver');
  if (reason !== undefined) throw new MissingPeer(`there is no network laboratory here: ${reason}`);
  const amount = Math.min(bytes, MOST_BYTES);
  const results: BenchResult[] = [];
  // Without a delay the processor is the limit, with one the windows are.
  for (const [what, plan] of [
    ['data channel', 'cone'],
    ['data channel, 20 ms', 'cone,delay=5'],
  ] as const) {
    await using lab = await NetworkLab.start({ a: plan, b: plan });
    await using relay = await startRelay(lab);
    if (relay.child.exitCode !== null) throw new Error('the STUN server ended');
    const meter = await PathMeter.start(lab, HOSTS[1]);
    const rows: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const peer = await measurePeer(lab, amount, meter);
      rows.push({ ours: await measureOurs(lab, amount, meter), peer });
    }
    results.push(...linesOf(what, rows, plan === 'cone' ? { op: '>=', value: 300, of: 'ours' } : null));
  }
  return results;
}

function linesOf(what: string, rounds: readonly Round[], rate: Bar | null): BenchResult[] {
  const line = (name: string, unit: string, measure: Measure, bar: Bar | null): BenchResult => {
    const samples = rounds.map(({ ours, peer }) => ({ ours: ours[measure], peer: peer[measure] }));
    return compare({ name, unit, peerName: PEER_NAME, samples, bar });
  };
  return [
    line(what, 'Mbit/s', 'mbits', rate),
    line(`${what}: sending CPU`, 's/GiB', 'sendCpu', null),
    line(`${what}: receiving CPU`, 's/GiB', 'receiveCpu', null),
    // The answers of the STUN server count as another way; TCP shows that the counter tells ways apart.
    line(`${what}: came by direct WebRTC`, '%', 'direct', { op: '>=', value: 99, of: 'ours' }),
  ];
}

await runBench('rtc', measure);
