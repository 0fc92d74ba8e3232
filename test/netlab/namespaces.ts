import type { ChildProcess, StdioOptions } from 'node:child_process';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { endProcess } from './lab-process.ts';

const run = promisify(execFile);
const NAME = /^spherecast-(\d+)-\d+-[a-z0-9-]+$/;
const FOLDER = /^spherecast-lab-(\d+)-\d+$/;
/** Where `ip netns exec` looks for files that take the place of those in /etc. */
const ETC = '/etc/netns';

let made = 0;

/**
 * Network namespaces of one laboratory, called places here, with their cables and programs.
 * Nothing of them shows in the machine's own network, and disposing leaves nothing behind.
 */
export class Namespaces implements AsyncDisposable {
  /** For files of the laboratory; also the folder for temporary files of its programs. */
  readonly folder: string;
  readonly #prefix: string;
  readonly #hosts: string;
  readonly #places = new Set<string>();
  readonly #children = new Set<ChildProcess>();
  readonly #onExit = (): void => this.#abandon();

  /** `hosts` is what every place has as /etc/hosts. */
  constructor(hosts: string) {
    removeAbandoned();
    made += 1;
    this.#prefix = `spherecast-${process.pid}-${made}-`;
    this.#hosts = hosts;
    this.folder = path.join(tmpdir(), `spherecast-lab-${process.pid}-${made}`);
    mkdirSync(this.folder);
    process.once('exit', this.#onExit);
  }

  get places(): readonly string[] {
    return [...this.#places];
  }

  /** The name under which `ip netns` knows a place. */
  nameOf(place: string): string {
    if (!this.#places.has(place)) throw new Error(`there is no ${place} in this laboratory: ${this.places.join(' ')}`);
    return this.#prefix + place;
  }

  async make(place: string): Promise<void> {
    this.#places.add(place);
    const name = this.nameOf(place);
    const etc = path.join(ETC, name);
    mkdirSync(etc, { recursive: true });
    writeFileSync(path.join(etc, 'hosts'), this.#hosts);
    // Refuses at once, so that no question waits for an answer.
    writeFileSync(path.join(etc, 'resolv.conf'), 'nameserver 127.0.0.1\n');
    await run('ip', ['netns', 'add', name]);
    await this.ip(place, 'link', 'set', 'lo', 'up');
    // Without a search for duplicates an IPv6 address can be used at once.
    await this.exec(place, 'sysctl', '-qw', 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0');
  }

  /** A cable between two places, with the names of its ends. */
  async cable(one: string, oneEnd: string, two: string, twoEnd: string): Promise<void> {
    const ends = ['name', oneEnd, 'netns', this.nameOf(one), 'type', 'veth'];
    await run('ip', ['link', 'add', ...ends, 'peer', 'name', twoEnd, 'netns', this.nameOf(two)]);
    await this.ip(one, 'link', 'set', oneEnd, 'up');
    await this.ip(two, 'link', 'set', twoEnd, 'up');
  }

  /** A switch, as it is built into a router. */
  async bridge(place: string, name: string): Promise<void> {
    await this.ip(place, 'link', 'add', 'name', name, 'type', 'bridge');
    await this.ip(place, 'link', 'set', name, 'up');
  }

  async ip(place: string, ...args: readonly string[]): Promise<void> {
    await run('ip', ['-n', this.nameOf(place), ...args]);
  }

  async exec(place: string, command: string, ...args: readonly string[]): Promise<string> {
    const env = { ...process.env, TMPDIR: this.folder };
    return (await run('ip', [...this.inside(place), command, ...args], { env })).stdout;
  }

  /** The arguments of `ip` before a command that is to run in a place; the process is the command itself. */
  inside(place: string): readonly string[] {
    return ['netns', 'exec', this.nameOf(place)];
  }

  async nft(place: string, rules: string): Promise<void> {
    const file = path.join(this.folder, `${place}.nft`);
    writeFileSync(file, rules);
    await this.exec(place, 'nft', '-f', file);
  }

  spawn(place: string, stdio: StdioOptions, command: string, ...args: readonly string[]): ChildProcess {
    const env = { ...process.env, TMPDIR: this.folder };
    const where = [...this.inside(place), command, ...args];
    const child = spawn('ip', where, { stdio, env, serialization: 'advanced' });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#children, (child) => endProcess(child, 'SIGKILL')));
    this.#abandon();
    process.off('exit', this.#onExit);
  }

  /** Synchronous, because it may be the last thing this process does. */
  #abandon(): void {
    for (const place of this.#places) removeNamespace(this.#prefix + place);
    this.#places.clear();
    rmSync(this.folder, { recursive: true, force: true });
    removeEmptyEtc();
  }
}

/** Tells whether namespaces can be made here by making one; rejects with the reason otherwise. */
export async function tryNamespaces(): Promise<void> {
  await using probe = new Namespaces('');
  await probe.make('probe');
  await probe.nft('probe', 'table inet probe { }\n');
}

/** Ends what still runs in a namespace and deletes it. */
function removeNamespace(name: string): void {
  try {
    const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    for (const pid of pids.split('\n').filter(Boolean)) killHard(Number(pid));
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  } catch {
    // It was never made or is gone already.
  }
  rmSync(path.join(ETC, name), { recursive: true, force: true });
}

/** Laboratories of processes that were killed. */
function removeAbandoned(): void {
  for (const name of [...list('/run/netns'), ...list(ETC)]) if (isAbandoned(NAME.exec(name))) removeNamespace(name);
  for (const name of list(tmpdir())) {
    if (isAbandoned(FOLDER.exec(name))) rmSync(path.join(tmpdir(), name), { recursive: true, force: true });
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // There is no such folder before the first laboratory.
    return [];
  }
}

function isAbandoned(match: RegExpExecArray | null): boolean {
  if (match === null) return false;
  try {
    return !process.kill(Number(match[1]), 0);
  } catch {
    // No such process.
    return true;
  }
}

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

function removeEmptyEtc(): void {
  try {
    rmdirSync(ETC);
  } catch {
    // Another laboratory is there, or somebody else's files.
  }
}
