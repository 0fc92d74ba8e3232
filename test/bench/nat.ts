import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPublicAddress } from '../../src/base/ip-address.ts';
import { ensureInstalled } from '../../tools/bootstrap/install.mjs';
import { endProcess } from '../netlab/lab-process.ts';
import { NetworkLab, whyNoLab } from '../netlab/network-lab.ts';
import type { Answer, Question, Who } from '../netlab/peers/map-port.ts';
import type { Bar, BenchOptions, BenchResult, Sample } from './parts/report.ts';
import { compare, MissingPeer, runBench } from './parts/report.ts';

/** Our port mapper beside nat-pmp and nat-upnp, on a real miniupnpd of every kind, called from outside. */
const PEERS = fileURLToPath(new URL('../netlab/peers/', import.meta.url));
const MAP_PORT = join(PEERS, 'map-port.ts');
const REACH = fileURLToPath(new URL('../netlab/reach.ts', import.meta.url));
const PATIENCE_MS = 10_000;
const PORT = 40_001;
const NAMES = ['nat-pmp', 'nat-upnp'] as const;
const EVERYBODY: readonly Who[] = ['ours', ...NAMES];

/** What one of them did in one round; `ms` is null when it never said anything or nobody got through. */
interface Round {
  readonly ms: number | null;
  /** Of being reached, renewing and leaving nothing behind. */
  readonly steps: number;
  /** Whether it told an address that nobody reaches. */
  readonly misled: boolean;
  /** How long until it told that there is nothing, null when never. */
  readonly gaveUpMs: number | null;
}
type Rounds = Readonly<Record<Who, readonly Round[]>>;

const MAPPING_HOMES = ['upnp-v1', 'upnp-v2', 'pmp', 'pcp', 'all'];
const OPENED: Bar = { op: '<=', value: 2_000, of: 'ours' };
const ALL_STEPS: Bar = { op: '>=', value: 3, of: 'ours' };
const GIVEN_UP: Bar = { op: '<=', value: 5_000, of: 'ours' };
const NOT_MISLED: Bar = { op: '<=', value: 0, of: 'ours' };

async function installPeers(): Promise<void> {
  try {
    await ensureInstalled(PEERS);
  } catch (error) {
    throw new MissingPeer(`nat-pmp and nat-upnp cannot be installed: ${String(error)}`);
  }
}

function versionOf(name: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(PEERS, 'node_modules', name, 'package.json'), 'utf8'));
  return `${name} ${(manifest as { version: string }).version}`;
}

async function tryOne(lab: NetworkLab, who: Who): Promise<Round> {
  const home = lab.home('a');
  const child = lab.fork('a1', MAP_PORT);
  const gone = new AbortController();
  child.once('exit', () => gone.abort());
  const ask = async (question: Question): Promise<Answer | null> => {
    try {
      const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(PATIENCE_MS)]);
      child.send(question);
      const [answer] = await once(child, 'message', { signal });
      return answer as Answer;
    } catch {
      // It fell silent or ended: both are results here.
      return null;
    }
  };
  const isReached = async (port: number): Promise<boolean> =>
    (await lab.exec('server', process.execPath, REACH, home.outside, String(port))).startsWith('hello from home');
  try {
    if ((await ask({ ask: 'listen', who, port: PORT })) === null) throw new Error('the program did not start');
    const mapped = await ask({ ask: 'map' });
    const { mapping = null } = mapped ?? {};
    if (mapping === null) return { ms: null, steps: 0, misled: false, gaveUpMs: mapped?.ms ?? null };
    const reached = await isReached(mapping.externalPort);
    const renewed = await ask({ ask: 'renew' });
    const renews = renewed?.mapping?.externalPort === mapping.externalPort && (await isReached(mapping.externalPort));
    await ask({ ask: 'unmap' });
    const removes = (await home.forwarded()).length === 0;
    return {
      ms: reached ? (mapped?.ms ?? null) : null,
      steps: [reached, reached && renews, reached && removes].filter(Boolean).length,
      misled: !reached && isPublicAddress(mapping.externalAddress),
      gaveUpMs: null,
    };
  } finally {
    await endProcess(child, 'SIGKILL');
  }
}

async function inHome(plan: string, rounds: number): Promise<Rounds> {
  const results: Record<Who, Round[]> = { ours: [], 'nat-pmp': [], 'nat-upnp': [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const who of EVERYBODY) {
      // A new laboratory each time: what one leaves behind on the router must not help or hinder the next.
      await using lab = await NetworkLab.start({ a: plan });
      results[who].push(await tryOne(lab, who));
    }
  }
  return results;
}

/** A line beside each peer; a value of ours that is missing counts as `missing`. */
function lines(
  rounds: Rounds,
  what: { readonly name: string; readonly unit: string; readonly missing: number; readonly bar: Bar | null },
  read: (round: Round) => number | null,
): BenchResult[] {
  return NAMES.map((peer) => {
    const samples = rounds.ours.map((ours, index): Sample => {
      const other = rounds[peer][index];
      return { ours: read(ours) ?? what.missing, peer: other === undefined ? null : read(other) };
    });
    return compare({ ...what, peerName: versionOf(peer), samples });
  });
}

async function measure({ rounds }: BenchOptions): Promise<BenchResult[]> {
  const reason = await whyNoLab();
  if (reason !== undefined) throw new MissingPeer(`there is no network laboratory here: ${reason}`);
  await installPeers();
  const results: BenchResult[] = [];
  for (const plan of MAPPING_HOMES) {
    const opened = await inHome(plan, rounds);
    const missing = PATIENCE_MS;
    results.push(
      ...lines(opened, { name: `${plan}: opened and reached`, unit: 'ms', missing, bar: OPENED }, ({ ms }) => ms),
      ...lines(
        opened,
        { name: `${plan}: reached, renewed, removed`, unit: 'of 3', missing: 0, bar: ALL_STEPS },
        ({ steps }) => steps,
      ),
    );
  }
  const none = { name: 'no router that maps: told after', unit: 'ms', missing: PATIENCE_MS, bar: GIVEN_UP };
  results.push(...lines(await inHome('cone', rounds), none, ({ gaveUpMs }) => gaveUpMs));
  const shared = { name: 'shared outside address: false words', unit: 'of 1', missing: 1, bar: NOT_MISLED };
  results.push(...lines(await inHome('all,isp=cone', rounds), shared, ({ misled }) => (misled ? 1 : 0)));
  // Nobody can know from inside: another member's call finds it out.
  const lied = { name: 'router that lies: false words', unit: 'of 1', missing: 1, bar: null };
  results.push(...lines(await inHome('lie', rounds), lied, ({ misled }) => (misled ? 1 : 0)));
  return results;
}

await runBench('nat', measure);
