/** What every bench prints: docs/cli.md describes the shape. */

export interface Bar {
  readonly op: '>=' | '<=';
  readonly value: number;
  readonly of: 'ours' | 'ratio';
}

export interface BenchResult {
  readonly name: string;
  readonly unit: string;
  /** Medians over the rounds. */
  readonly ours: number;
  readonly peer: number | null;
  readonly peerName: string | null;
  /** ours / peer, null when the peer has none or did nothing. */
  readonly ratio: number | null;
  readonly samples: readonly Sample[];
  readonly bar: Bar | null;
  readonly pass: boolean;
}

export interface BenchReport {
  readonly bench: string;
  readonly rounds: number;
  readonly results: readonly BenchResult[];
  readonly pass: boolean;
}

/** One round: ours and the peer measured one after the other. */
export interface Sample {
  readonly ours: number;
  readonly peer: number | null;
}

export interface BenchOptions {
  readonly json: boolean;
  readonly bytes: number;
  /** How many of what a bench counts. */
  readonly count: number;
  readonly rounds: number;
  /** The only one of a bench's parts that is asked for; null = all. */
  readonly only: string | null;
}

export const GIB = 2 ** 30;
const MIN_ROUNDS = 3;

/** The peer to compare with is not installed: such a run never passes. */
export class MissingPeer extends Error {}

/** Arguments that no bench understands. */
class WrongUse extends Error {}

const USAGE = 'usage: npm run bench -- NAME [--json] [--bytes N] [--count N] [--rounds N] [--only PART]';
/** Each option with the number of values that follow it. */
const OPTIONS = new Map([
  ['--json', 0],
  ['--bytes', 1],
  ['--count', 1],
  ['--rounds', 1],
  ['--only', 1],
]);

/** What a bench does when nothing else is asked for. */
export interface BenchDefaults extends Partial<Pick<BenchOptions, 'bytes' | 'count' | 'rounds'>> {
  /** What may be asked for alone. */
  readonly parts?: readonly string[];
}

/**
 * Reads `--json`, `--bytes N`, `--count N`, `--rounds N` and `--only PART`; BENCH_BYTES and the like stand in for the numbers. Anything else is
 * refused: a mistyped option would measure for minutes what nobody asked for.
 */
export function benchOptions(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  defaults: BenchDefaults = {},
): BenchOptions {
  for (let at = 0; at < argv.length; at += 1 + (OPTIONS.get(argv[at] ?? '') ?? 0)) {
    if (!OPTIONS.has(argv[at] ?? '')) throw new WrongUse(`there is no option ${argv[at]}\n${USAGE}`);
  }
  const number = (flag: string, variable: string, otherwise: number): number => {
    const at = argv.indexOf(flag);
    const value = Number(at === -1 ? (env[variable] ?? otherwise) : argv[at + 1]);
    if (!Number.isSafeInteger(value) || value < 1) throw new WrongUse(`${flag} needs a whole number above 0\n${USAGE}`);
    return value;
  };
  const only = argv.includes('--only') ? (argv[argv.indexOf('--only') + 1] ?? '') : null;
  const { parts = [] } = defaults;
  if (only !== null && !parts.includes(only)) {
    throw new WrongUse(`--only needs one of this bench's parts: ${parts.join(', ') || 'it has none'}\n${USAGE}`);
  }
  return {
    json: argv.includes('--json'),
    only,
    bytes: number('--bytes', 'BENCH_BYTES', defaults.bytes ?? GIB),
    count: number('--count', 'BENCH_COUNT', defaults.count ?? 1),
    rounds: Math.max(MIN_ROUNDS, number('--rounds', 'BENCH_ROUNDS', defaults.rounds ?? MIN_ROUNDS)),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** One line of the report from the samples of all rounds. */
export function compare(input: {
  readonly name: string;
  readonly unit: string;
  readonly peerName: string | null;
  readonly samples: readonly Sample[];
  readonly bar?: Bar | null;
}): BenchResult {
  const { name, unit, peerName, samples, bar = null } = input;
  const ours = round(median(samples.map((sample) => sample.ours)));
  const peers = samples.flatMap((sample) => (sample.peer === null ? [] : [sample.peer]));
  const peer = peers.length === samples.length ? round(median(peers)) : null;
  const ratio = peer === null || peer === 0 ? null : round(ours / peer);
  const rounded = samples.map((sample) => ({
    ours: round(sample.ours),
    peer: sample.peer === null ? null : round(sample.peer),
  }));
  return { name, unit, ours, peer, peerName, ratio, samples: rounded, bar, pass: passes(bar, { ours, ratio }) };
}

function passes(bar: Bar | null, { ours, ratio }: { ours: number; ratio: number | null }): boolean {
  if (bar === null) return true;
  const value = bar.of === 'ours' ? ours : ratio;
  if (value === null) return false;
  return bar.op === '>=' ? value >= bar.value : value <= bar.value;
}

const round = (value: number): number => Number(value.toPrecision(4));

/** Runs a bench, prints its report and sets the exit code: 0, 1 = a bar is missed, 2 = wrong use or a missing peer. */
export async function runBench(
  bench: string,
  measure: (options: BenchOptions) => Promise<readonly BenchResult[]>,
  defaults: BenchDefaults = {},
): Promise<void> {
  let json = false;
  try {
    const options = benchOptions(process.argv.slice(2), process.env, defaults);
    ({ json } = options);
    const results = await measure(options);
    const pass = results.length > 0 && results.every((result) => result.pass);
    // What takes too long to be repeated is not called a median.
    const rounds = Math.min(options.rounds, ...results.map(({ samples }) => samples.length));
    print({ bench, rounds, results, pass }, options);
    process.exitCode = pass ? 0 : 1;
  } catch (error) {
    if (!(error instanceof MissingPeer || error instanceof WrongUse)) throw error;
    console.error(error.message);
    if (json) print({ bench, rounds: 0, results: [], pass: false }, { json });
    process.exitCode = 2;
  }
}

function print(report: BenchReport, { json }: Pick<BenchOptions, 'json'>): void {
  if (json) {
    console.log(JSON.stringify(report));
    return;
  }
  const rows = report.results.map((result) => [
    result.name,
    `${result.ours} ${result.unit}`,
    result.peer === null ? '-' : `${result.peer} ${result.unit} (${result.peerName})`,
    result.ratio === null ? '-' : `× ${result.ratio}`,
    result.bar === null
      ? 'no bar'
      : `${result.pass ? 'pass' : 'MISSED'} (${result.bar.of} ${result.bar.op} ${result.bar.value})`,
  ]);
  const table = [['', 'ours', 'peer', 'ratio', 'bar'], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  console.log(`${report.bench}: medians of ${report.rounds} rounds`);
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
