import { NetworkLab, whyNoLab } from '../netlab/network-lab.ts';
import { RtcPair } from '../netlab/rtc-pair.ts';
import type { BenchOptions, BenchResult, Sample } from './parts/report.ts';
import { compare, MissingPeer, runBench } from './parts/report.ts';

/** A stream over a WebRTC data channel, beside plain TCP, between two processes in two homes of the laboratory. */
const PEER_NAME = 'TCP';
/** More takes long over WebRTC and shows nothing else. */
const MOST_BYTES = 2 ** 28;

interface Measured {
  readonly mbits: number;
  /** CPU seconds for a GiB, all threads. */
  readonly sendCpu: number;
  readonly receiveCpu: number;
}

function measured(bytes: number, sent: { cpuMs: number }, received: { ms: number; cpuMs: number }): Measured {
  const gib = bytes / 2 ** 30;
  return {
    mbits: (bytes * 8) / 1e3 / received.ms,
    sendCpu: sent.cpuMs / 1e3 / gib,
    receiveCpu: received.cpuMs / 1e3 / gib,
  };
}

async function whole(pair: RtcPair, bytes: number): Promise<Measured> {
  const received = await pair.far.hear('received');
  if (received.bytes !== bytes) throw new Error(`${received.bytes} bytes arrived instead of ${bytes}`);
  return measured(bytes, await pair.near.hear('sent'), received);
}

async function measureOurs(lab: NetworkLab, hosts: readonly [string, string], bytes: number): Promise<Measured> {
  const pair = new RtcPair(lab, hosts);
  pair.near.call({ call: 'send', bytes });
  const result = await whole(pair, bytes);
  const codes = await Promise.all([pair.near.quit(), pair.far.quit()]);
  if (codes.some((code) => code !== 0)) throw new Error(`a peer ended with ${codes.join(', ')}`);
  return result;
}

async function measurePeer(lab: NetworkLab, hosts: readonly [string, string], bytes: number): Promise<Measured> {
  const pair = new RtcPair(lab, hosts);
  pair.far.call({ call: 'listen-tcp' });
  const { port } = await pair.far.hear('listening');
  const address = lab.homeOf(hosts[1]).outside;
  pair.near.call({ call: 'send-tcp', bytes, address, port });
  const result = await whole(pair, bytes);
  await Promise.all([pair.near.quit(), pair.far.quit()]);
  return result;
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  const reason = await whyNoLab();
  if (reason !== undefined) throw new MissingPeer(`there is no network laboratory here: ${reason}`);
  const amount = Math.min(bytes, MOST_BYTES);
  const results: BenchResult[] = [];
  // Without a delay the processor is the limit, with one the windows are.
  for (const [what, plan] of [
    ['data channel', 'open'],
    ['data channel, 20 ms', 'open,delay=5'],
  ] as const) {
    await using lab = await NetworkLab.start({ a: plan, b: plan });
    const samples: Record<'mbits' | 'sendCpu' | 'receiveCpu', Sample[]> = { mbits: [], sendCpu: [], receiveCpu: [] };
    for (let round = 0; round < rounds; round += 1) {
      const peer = await measurePeer(lab, ['a1', 'b1'], amount);
      const ours = await measureOurs(lab, ['a1', 'b1'], amount);
      for (const key of ['mbits', 'sendCpu', 'receiveCpu'] as const) {
        samples[key].push({ ours: ours[key], peer: peer[key] });
      }
    }
    const bar = plan === 'open' ? ({ op: '>=', value: 300, of: 'ours' } as const) : null;
    results.push(
      compare({ name: what, unit: 'Mbit/s', peerName: PEER_NAME, samples: samples.mbits, bar }),
      compare({ name: `${what}: sending CPU`, unit: 's/GiB', peerName: PEER_NAME, samples: samples.sendCpu }),
      compare({ name: `${what}: receiving CPU`, unit: 's/GiB', peerName: PEER_NAME, samples: samples.receiveCpu }),
    );
  }
  return results;
}

await runBench('rtc', measure);
