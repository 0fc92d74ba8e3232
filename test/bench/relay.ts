import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { Bytestream } from '../netlab/bytestream.ts';
import { sha256 } from '../netlab/cell.ts';
import { EngineWatch } from '../netlab/engine-watch.ts';
import { LabWorld } from '../netlab/lab-world.ts';
import { whyNoLab } from '../netlab/network-lab.ts';
import { PathMeter } from '../netlab/path-meter.ts';
import { PROXY_PORT } from '../netlab/servers.ts';
import type { Bar, BenchOptions, BenchResult, Sample } from './parts/report.ts';
import { compare, MissingPeer, runBench } from './parts/report.ts';

/**
 * Two members who cannot connect to each other: a member on port 443 who carries, beside a bytestream through the
 * server's proxy (XEP-0065) between the same two homes.
 */
const PEER_NAME = "Prosody's proxy";
const MOST_BYTES = 64 * 1024 * 1024;
const PATIENCE_MS = 120_000;
const WITHIN_SECONDS: Bar = { op: '<=', value: 3_000, of: 'ours' };

interface Homes {
  readonly name: string;
  readonly kind: string;
  readonly proxyPort: number;
  /** Whether the routers let the members through to the proxy. */
  readonly proxyPasses: boolean;
}

const HOMES: readonly Homes[] = [
  { name: 'symmetric', kind: 'symmetric', proxyPort: PROXY_PORT, proxyPasses: true },
  { name: 'web only', kind: 'web', proxyPort: PROXY_PORT, proxyPasses: false },
  { name: 'web only, proxy on 443', kind: 'web', proxyPort: 443, proxyPasses: true },
];

interface Meeting {
  readonly world: LabWorld;
  readonly sphere: string;
  readonly bytes: number;
  readonly proxyPasses: boolean;
}

interface Measured {
  readonly firstMs: number;
  /** From the wish to the last byte. */
  readonly mbits: number;
}

interface Round {
  readonly fromCopy: Measured;
  readonly whileFetching: Measured;
  readonly proxy: Measured | null;
}

async function newFile({ world, bytes }: Meeting): Promise<string> {
  const file = path.join(world.lab.folder, 'film.bin');
  await writeFile(file, randomBytes(bytes));
  return file;
}

/** The receiver and, where it has no copy yet, the carrier ask for an item at the same moment. */
async function carry(meeting: Meeting, carrierHasCopy: boolean): Promise<Measured> {
  const { world, sphere, bytes } = meeting;
  const [sharer, carrier, receiver] = [world.person('sharer'), world.person('carrier'), world.person('receiver')];
  const file = await newFile(meeting);
  const id = await sharer.share(sphere, file);
  await Promise.all([carrier.item(sphere, id), receiver.item(sphere, id)]);
  if (carrierHasCopy) await carrier.get(sphere, id);
  const meter = await PathMeter.start(world.lab, 'b1', world.lab.home('c').outside);
  await using watch = await EngineWatch.start(receiver);
  const asking = carrierHasCopy ? [receiver] : [receiver, carrier];
  const engines = await Promise.all(asking.map((person) => person.connect(AbortSignal.timeout(PATIENCE_MS))));
  const begin = performance.now();
  const ids = { sphereId: parseSphereId(sphere), itemId: parseItemId(id), wait: false };
  await Promise.all(engines.map(({ client }) => client.items.get(ids)));
  const first = await watch.until('the first piece', () => (watch.items.get(id)?.bytesHave ?? 0) > 0, PATIENCE_MS);
  const whole = await watch.until('the item', () => watch.items.get(id)?.state === 'complete', PATIENCE_MS);
  for (const engine of engines) engine[Symbol.dispose]();
  const arrived = watch.items.get(id)?.path ?? '';
  if ((await sha256(arrived)) !== (await sha256(file))) throw new Error('something else arrived');
  if ((await meter.main()) !== 'carrier') throw new Error(`the bytes came by ${await meter.main()}`);
  return { firstMs: first - begin, mbits: (bytes * 8) / 1e3 / (whole - begin) };
}

/** Null where the routers let nobody through to the proxy. */
async function stream(meeting: Meeting): Promise<Measured | null> {
  const { world, bytes, proxyPasses } = meeting;
  const file = await newFile(meeting);
  const ends = { sender: { name: 'sharer', host: 'a1' }, receiver: { name: 'receiver', host: 'b1' } };
  await using bytestream = await Bytestream.start(world.lab, world.servers, ends);
  const sending = bytestream.send(file, bytes);
  if (!proxyPasses) {
    const why = await sending.then(
      () => 'it passed',
      (error: unknown) => String(error),
    );
    if (why === 'it passed') throw new Error('the proxy was reached from a home that reaches the web only');
    console.error(`through the proxy: ${why}`);
    return null;
  }
  const streamed = await sending;
  if (streamed.sha256 !== (await sha256(file))) throw new Error('something else came through the proxy');
  return { firstMs: streamed.firstMs, mbits: (bytes * 8) / 1e3 / streamed.wholeMs };
}

async function inHomes({ kind, proxyPort, proxyPasses }: Homes, bytes: number, rounds: number): Promise<Round[]> {
  const plan = {
    homes: { a: kind, b: kind, c: 'open' },
    people: { sharer: 'a1', receiver: 'b1', carrier: 'c1' },
    serveArguments: { carrier: ['--also-port', '443'] },
    // With a relay the two would meet without either.
    announcesRelay: false,
    proxyPort,
  };
  return await LabWorld.with(plan, async (world) => {
    const [sharer, receiver] = [world.person('sharer'), world.person('receiver')];
    const sphere = await world.sphere('Films', sharer, receiver, world.person('carrier'));
    const meeting = { world, sphere, bytes, proxyPasses };
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const proxy = await stream(meeting);
      measured.push({ proxy, fromCopy: await carry(meeting, true), whileFetching: await carry(meeting, false) });
    }
    return measured;
  });
}

function report(name: string, rounds: readonly Round[]): BenchResult[] {
  return (['fromCopy', 'whileFetching'] as const).flatMap((way) => {
    const samples = (read: (measured: Measured) => number): Sample[] =>
      rounds.map((round) => ({ ours: read(round[way]), peer: round.proxy === null ? null : read(round.proxy) }));
    const what = `${name}, ${way === 'fromCopy' ? 'carrier has it' : 'carrier fetches it'}`;
    const bar = way === 'fromCopy' ? WITHIN_SECONDS : null;
    const [rate, first] = [samples(({ mbits }) => mbits), samples(({ firstMs }) => firstMs)];
    return [
      compare({ name: `${what}: rate`, unit: 'Mbit/s', peerName: PEER_NAME, samples: rate }),
      compare({ name: `${what}: first byte`, unit: 'ms', peerName: PEER_NAME, samples: first, bar }),
    ];
  });
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  const reason = (await whyNoLab()) ?? missingPrograms('prosody', 'openssl', 'turnserver');
  if (reason !== undefined) throw new MissingPeer(`there is no network laboratory here: ${reason}`);
  const results: BenchResult[] = [];
  for (const homes of HOMES) {
    results.push(...report(homes.name, await inHomes(homes, Math.min(bytes, MOST_BYTES), rounds)));
  }
  return results;
}

await runBench('relay', measure);
