import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PYTHON = '/usr/bin/python3';
export const LIBTORRENT = fileURLToPath(new URL('./public-with-libtorrent.py', import.meta.url));
const OURS = fileURLToPath(new URL('./public-peer.ts', import.meta.url));
const LIMIT_MS = 300_000;
const MOST_STARTS = 10;

export type ProgramName = 'libtorrent' | 'transmission' | 'aria2' | 'ours';
export type Mode = 'seed' | 'leech';

export interface Job {
  readonly mode: Mode;
  readonly torrent: string;
  /** Where the file lies, or is to come. */
  readonly folder: string;
  /** A folder for what the program keeps. */
  readonly scratch: string;
  readonly port: number;
  /** Whom it is told to call; the other programs are called. */
  readonly peerPort?: number;
}

/** A BitTorrent program at one end of a transfer. */
export class OtherProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** null = it ends when it has everything. */
  readonly #isDone: (() => boolean) | null;

  private constructor(child: ChildProcess, isDone: (() => boolean) | null) {
    this.#child = child;
    this.#isDone = isDone;
    const output = child.stdout;
    if (output === null) throw new Error('no output');
    this.#lines = createInterface({ input: output })[Symbol.asyncIterator]();
  }

  /** Resolves when it can be called. */
  static async start(name: ProgramName, job: Job): Promise<OtherProgram> {
    await mkdir(job.scratch, { recursive: true });
    if (name === 'aria2') return startAria(job, OtherProgram.#of);
    if (name === 'transmission') return startTransmission(job, OtherProgram.#of);
    const peer = job.peerPort === undefined ? [] : [`127.0.0.1:${job.peerPort}`];
    const words =
      name === 'ours'
        ? [process.execPath, OURS, job.mode, job.torrent, job.folder]
        : [PYTHON, LIBTORRENT, job.mode, job.torrent, job.folder, `127.0.0.1:${job.port}`, ...peer];
    const program = OtherProgram.#of(words, null);
    if ((await program.#line()) !== 'ready') throw new Error(`${name} does not start`);
    return program;
  }

  static #of(this: void, words: readonly string[], isDone: (() => boolean) | null): OtherProgram {
    const [command = '', ...rest] = words;
    return new OtherProgram(spawn(command, rest, { stdio: ['pipe', 'pipe', 'ignore'] }), isDone);
  }

  /** It calls whom it was told of. */
  begin(): void {
    this.#child.stdin?.write('\n');
  }

  /** Milliseconds from its own beginning until it had everything, as it measured them. */
  async took(): Promise<number> {
    const ms = Number(await Promise.race([this.#line(), sleep(LIMIT_MS, 'not in time', { ref: false })]));
    if (Number.isNaN(ms)) throw new Error(`${this.#child.spawnfile} ended without everything`);
    return ms;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null;
  }

  /** Until it has everything, as seen from outside. */
  async done(): Promise<void> {
    const end = performance.now() + LIMIT_MS;
    while (this.#isDone?.() !== true) {
      const { exitCode, spawnfile } = this.#child;
      if (exitCode === 0 && this.#isDone === null) return;
      if (exitCode !== null) throw new Error(`${spawnfile} ended with ${exitCode}`);
      if (performance.now() > end) throw new Error('the transfer does not end');
      await sleep(5);
    }
  }

  async listens(port: number): Promise<void> {
    for (const end = performance.now() + LIMIT_MS; performance.now() < end; await sleep(50)) {
      const { exitCode, spawnfile } = this.#child;
      if (exitCode !== null) throw new Error(`${spawnfile} ended with ${exitCode}`);
      if (await isOpen(port)) return;
    }
    throw new Error(`nobody listens on ${port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async #line(): Promise<string> {
    return String((await this.#lines.next()).value);
  }
}

type Make = (words: readonly string[], isDone: (() => boolean) | null) => OtherProgram;

async function startAria(job: Job, make: Make): Promise<OtherProgram> {
  const alone = ['--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false'];
  const files = ['--file-allocation=none', '--bt-seed-unverified=true', '--allow-overwrite=true', '--no-conf=true'];
  // Who fetches ends when that is done.
  const until = job.mode === 'seed' ? '--seed-ratio=0.0' : '--seed-time=0';
  const whole = [until, '--bt-max-peers=0', '--disable-ipv6=true', `--listen-port=${job.port}`];
  const quiet = ['--quiet=true', '--bt-exclude-tracker=*', `--dir=${job.folder}`];
  const program = make(['aria2c', ...alone, ...files, ...whole, ...quiet, job.torrent], null);
  await program.listens(job.port);
  return program;
}

async function startTransmission(job: Job, make: Make): Promise<OtherProgram> {
  const mark = join(job.scratch, 'done');
  const script = join(job.scratch, 'finish.sh');
  await writeFile(script, `#!/bin/sh\ntouch '${mark}'\n`);
  await chmod(script, 0o755);
  await mkdir(join(job.scratch, 'config'));
  const alone = { 'dht-enabled': false, 'lpd-enabled': false, 'pex-enabled': false, 'utp-enabled': false };
  // It says that it has everything before the last file has its name.
  const named = { 'rename-partial-files': false };
  await writeFile(join(job.scratch, 'config', 'settings.json'), JSON.stringify({ ...alone, ...named }));
  const config = ['-g', join(job.scratch, 'config'), '-w', job.folder, '-p', `${job.port}`, '-M', '-et', '-v'];
  const words = ['transmission-cli', ...config, '-f', script, job.torrent];
  for (let attempt = 1; ; attempt += 1) {
    const program = make(words, () => existsSync(mark));
    try {
      await program.listens(job.port);
      await sleep(500);
      // It looks through the file first, and says in the same way when that is done.
      if (job.mode === 'seed') await program.done();
      if (!program.hasEnded) return program;
    } catch (error) {
      if (!program.hasEnded) throw error;
    }
    // It ends by itself when it finds the torrent stopped, which it is for a moment at its start, on a busy machine for longer.
    if (attempt === MOST_STARTS) throw new Error('transmission ends at each start');
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
