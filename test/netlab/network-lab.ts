import type { ChildProcess } from 'node:child_process';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { miniupnpdConfiguration, routerRules, routerTalkRules } from './router-files.ts';

const run = promisify(execFile);
const NAME = /^spherecast-(\d+)-\d+-[a-z]+$/;

/** Outside, a range that miniupnpd does not take for a reserved one; it exists in the namespaces only. */
export const SERVER_ADDRESS = '11.22.33.10';
export const ROUTER_OUTSIDE = '11.22.33.101';
/** What a router has outside when its provider shares one public address among many customers (RFC 6598). */
export const SHARED_OUTSIDE = '100.64.9.101';
export const ROUTER_INSIDE = '192.168.77.1';
const HOST_ADDRESSES = { home: '192.168.77.11', other: '192.168.77.12' } as const;

/** What the router offers; `v1` and `v2` are the versions of UPnP, `pmp` is NAT-PMP and PCP. */
export type RouterKind = 'upnp-v1' | 'upnp-v2' | 'pmp' | 'all' | 'none';
export type LabHost = 'home' | 'other' | 'router' | 'server';

let labs = 0;

/** Why there can be no laboratory on this machine; undefined when there can. */
export function whyNoLab(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `spherecast-${process.pid}-0-probe`;
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'exec', name, 'nft', 'add', 'table', 'inet', 'probe'], { stdio: 'ignore' });
    execFileSync('miniupnpd', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch (error) {
    return `iproute2, nftables, miniupnpd or the right to use them is missing: ${String(error)}`;
  } finally {
    removeNamespace(name);
  }
}

/** A home of two hosts behind a router, and a server outside, all in network namespaces. */
export class NetworkLab implements AsyncDisposable {
  readonly #prefix: string;
  readonly #folder: string;
  readonly #kind: RouterKind;
  readonly #children = new Set<ChildProcess>();
  readonly #onExit = (): void => this.#abandon();
  #daemon: ChildProcess | undefined;

  private constructor(prefix: string, folder: string, kind: RouterKind) {
    this.#prefix = prefix;
    this.#folder = folder;
    this.#kind = kind;
    process.once('exit', this.#onExit);
  }

  static async start(kind: RouterKind, outside = ROUTER_OUTSIDE): Promise<NetworkLab> {
    removeDeadLabs();
    labs += 1;
    const folder = await mkdtemp(path.join(tmpdir(), 'netlab-'));
    const lab = new NetworkLab(`spherecast-${process.pid}-${labs}-`, folder, kind);
    try {
      await lab.#build(outside);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a program on a host; its standard output is read line by line. */
  spawn(host: LabHost, command: string, ...args: readonly string[]): LabProcess {
    return new LabProcess(this.#spawn(host, ['ignore', 'pipe', 'inherit'], command, args));
  }

  /** Starts a program on a host with a channel for messages, as `fork` does. */
  fork(host: LabHost, module: string): ChildProcess {
    return this.#spawn(host, ['ignore', 'inherit', 'inherit', 'ipc'], process.execPath, [module]);
  }

  async exec(host: LabHost, command: string, ...args: readonly string[]): Promise<string> {
    return (await run('ip', ['netns', 'exec', this.#prefix + host, command, ...args])).stdout;
  }

  /** The ports the router forwards, as `outside-port address:port`. */
  async forwarded(): Promise<string[]> {
    const rules = await this.exec('router', 'nft', 'list', 'chain', 'inet', 'lab', 'prerouting_miniupnpd');
    return [...rules.matchAll(/dport (\d+) dnat ip to ([\d.:]+)/g)].map(([, port, to]) => `${port} ${to}`);
  }

  /** For how many seconds yet the router forwards each port by itself. */
  async leases(): Promise<number[]> {
    const lines = (await readFile(path.join(this.#folder, 'leases'), 'utf8')).trim().split('\n');
    return lines.map((line) => Number(line.split(':')[4]) - Math.floor(Date.now() / 1000));
  }

  /** Counts from now on what a host says to routers; the returned function tells how many packets. */
  async countRouterTalk(host: LabHost): Promise<() => Promise<number>> {
    const file = path.join(this.#folder, 'talk.nft');
    await writeFile(file, routerTalkRules(ROUTER_INSIDE));
    await this.exec(host, 'nft', '-f', file);
    return async () => Number(/packets (\d+)/.exec(await this.exec(host, 'nft', 'list', 'table', 'inet', 'talk'))?.[1]);
  }

  /** The router loses power: it forgets every mapping and starts anew. */
  async rebootRouter(): Promise<void> {
    await this.#stopDaemon();
    await rm(path.join(this.#folder, 'leases'), { force: true });
    await this.exec('router', 'nft', 'flush', 'ruleset');
    await this.#startRouter();
  }

  async #stopDaemon(): Promise<void> {
    if (this.#daemon !== undefined) await endProcess(this.#daemon, 'SIGKILL');
    this.#daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#children, (child) => endProcess(child, 'SIGKILL')));
    this.#abandon();
    process.off('exit', this.#onExit);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #build(outside: string): Promise<void> {
    for (const host of ['server', 'router', 'home', 'other'] as const) {
      await run('ip', ['netns', 'add', this.#prefix + host]);
      await this.#ip(host, 'link', 'set', 'lo', 'up');
    }
    await this.#cable('server', 'eth0', 'router', 'wan0');
    await this.#ip('server', 'addr', 'add', `${SERVER_ADDRESS}/24`, 'dev', 'eth0');
    await this.#ip('router', 'addr', 'add', `${outside}/24`, 'dev', 'wan0');
    await this.#ip('router', 'route', 'add', 'default', 'via', SERVER_ADDRESS, 'dev', 'wan0', 'onlink');
    await this.#ip('router', 'link', 'add', 'name', 'lan0', 'type', 'bridge');
    await this.#ip('router', 'addr', 'add', `${ROUTER_INSIDE}/24`, 'dev', 'lan0');
    await this.#ip('router', 'link', 'set', 'lan0', 'up');
    await this.exec('router', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    for (const host of ['home', 'other'] as const) {
      await this.#cable(host, 'eth0', 'router', `to-${host}`);
      await this.#ip('router', 'link', 'set', `to-${host}`, 'master', 'lan0');
      await this.#ip(host, 'addr', 'add', `${HOST_ADDRESSES[host]}/24`, 'dev', 'eth0');
      await this.#ip(host, 'route', 'add', 'default', 'via', ROUTER_INSIDE);
    }
    await this.#startRouter();
  }

  async #startRouter(): Promise<void> {
    const rules = path.join(this.#folder, 'rules.nft');
    await writeFile(rules, routerRules());
    await this.exec('router', 'nft', '-f', rules);
    if (this.#kind === 'none') return;
    const file = path.join(this.#folder, 'miniupnpd.conf');
    await writeFile(file, miniupnpdConfiguration(this.#kind, this.#folder));
    const args = ['-d', '-f', file, '-P', path.join(this.#folder, 'pid')];
    this.#daemon = this.#spawn('router', ['ignore', 'ignore', 'pipe'], 'miniupnpd', args);
    await daemonReady(this.#daemon);
  }

  #spawn(
    host: LabHost,
    stdio: ('ignore' | 'inherit' | 'pipe' | 'ipc')[],
    command: string,
    args: readonly string[],
  ): ChildProcess {
    const where = ['netns', 'exec', this.#prefix + host, command, ...args];
    const child = spawn('ip', where, stdio.includes('ipc') ? { stdio, serialization: 'advanced' } : { stdio });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async #cable(one: LabHost, oneName: string, two: LabHost, twoName: string): Promise<void> {
    const ends = ['name', oneName, 'netns', this.#prefix + one, 'type', 'veth'];
    await run('ip', ['link', 'add', ...ends, 'peer', 'name', twoName, 'netns', this.#prefix + two]);
    await this.#ip(one, 'link', 'set', oneName, 'up');
    await this.#ip(two, 'link', 'set', twoName, 'up');
  }

  async #ip(host: LabHost, ...args: readonly string[]): Promise<void> {
    await run('ip', ['-n', this.#prefix + host, ...args]);
  }

  /** Leaves nothing behind; synchronous, because it may be the last thing this process does. */
  #abandon(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const host of ['home', 'other', 'router', 'server']) removeNamespace(this.#prefix + host);
  }
}

/** A program in the laboratory. */
export class LabProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly lines: string[] = [];

  constructor(child: ChildProcess) {
    this.child = child;
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line));
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await endProcess(this.child, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

async function daemonReady(daemon: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    daemon.once('exit', (code) => reject(new Error(`miniupnpd ended with ${code}: ${said}`)));
    daemon.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
      if (/listening on|Listening for NAT-PMP/i.test(said)) resolve();
    });
  });
}

function removeNamespace(name: string): void {
  try {
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  } catch {
    // It was never made or is gone already.
  }
}

/** Laboratories of test runs that were killed. */
function removeDeadLabs(): void {
  const names = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.split(' ')[0]);
  for (const name of names) {
    const owner = NAME.exec(name ?? '')?.[1];
    if (name === undefined || owner === undefined || isAlive(Number(owner))) continue;
    const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).split('\n').filter(Boolean);
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    removeNamespace(name);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // No such process.
    return false;
  }
}
