import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import {
  HOSTS_FILE,
  SERVER_ADDRESS,
  SERVER_ADDRESS_2,
  SERVER_ADDRESS6,
  WAN_GATEWAY,
  WAN_GATEWAY6,
} from './addresses.ts';
import { readHomePlan } from './home-plan.ts';
import { Home } from './home.ts';
import { LabProcess } from './lab-process.ts';
import { Namespaces, tryNamespaces } from './namespaces.ts';
import { routerTalkRules } from './router-rules.ts';

const PROGRAMS = [
  ['miniupnpd', '--version'],
  ['conntrack', '--version'],
  ['tc', '-V'],
  ['sysctl', '--version'],
  ['python3', '--version'],
] as const;

/** Why there can be no laboratory on this machine; undefined when there can. */
export async function whyNoLab(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    for (const [program, argument] of PROGRAMS) execFileSync(program, [argument], { stdio: 'ignore' });
    await tryNamespaces();
    return undefined;
  } catch (error) {
    return `iproute2, procps, nftables, conntrack, miniupnpd, python3 or the right to use them is missing: ${String(error)}`;
  }
}

/**
 * A small internet in network namespaces: a server outside, and homes of any kind (home-plan.ts). The home `a` has the
 * hosts `a1`, `a2` … and the router `a-router`; the other places are called `server` and `wan`.
 */
export class NetworkLab implements AsyncDisposable {
  readonly #namespaces = new Namespaces(HOSTS_FILE);
  readonly #homes = new Map<string, Home>();

  private constructor() {}

  /** `homes` are plans by name, as in `{ a: 'cone,hosts=2', b: 'symmetric' }`. */
  static async start(homes: Readonly<Record<string, string>>): Promise<NetworkLab> {
    const plans = Object.entries(homes).map(([name, plan]) => ({ name, plan: readHomePlan(plan) }));
    const wrong = plans.find(({ name }) => !/^[a-z]{1,6}$/.test(name) || name === 'wan' || name === 'server');
    if (wrong !== undefined) throw new Error(`no name for a home: ${wrong.name}`);
    const lab = new NetworkLab();
    try {
      await lab.#buildInternet();
      for (const [index, { name, plan }] of plans.entries()) {
        lab.#homes.set(name, new Home(lab.#namespaces, name, plan, index + 1));
      }
      await Promise.all(Array.from(lab.#homes.values(), (home) => home.build()));
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** For files of programs in the laboratory; it goes with it. */
  get folder(): string {
    return this.#namespaces.folder;
  }

  get places(): readonly string[] {
    return this.#namespaces.places;
  }

  home(name: string): Home {
    const home = this.#homes.get(name);
    if (home === undefined) throw new Error(`there is no home ${name}`);
    return home;
  }

  /** The name under which `ip netns` knows a place. */
  namespaceOf(place: string): string {
    return this.#namespaces.nameOf(place);
  }

  /** A command that runs another one in a place: put it before that one. */
  inside(place: string): readonly string[] {
    return ['ip', ...this.#namespaces.inside(place)];
  }

  /** Starts a program in a place; its standard output is read line by line. */
  spawn(place: string, command: string, ...args: readonly string[]): LabProcess {
    return new LabProcess(this.#namespaces.spawn(place, ['ignore', 'pipe', 'inherit'], command, ...args));
  }

  /** Starts a module in a place with a channel for messages, as `fork` does. */
  fork(place: string, module: string): ChildProcess {
    return this.#namespaces.spawn(place, ['ignore', 'inherit', 'inherit', 'ipc'], process.execPath, module);
  }

  async exec(place: string, command: string, ...args: readonly string[]): Promise<string> {
    return await this.#namespaces.exec(place, command, ...args);
  }

  /** Pulls the cable of a home to the internet (`a`), whose own network goes on, or that of one host (`a1`). */
  async cut(what: string): Promise<void> {
    await this.#plug(what, 'down');
  }

  async heal(what: string): Promise<void> {
    await this.#plug(what, 'up');
  }

  /** Counts from now on what a host says to routers; the returned function tells how many packets. */
  async countRouterTalk(host: string): Promise<() => Promise<number>> {
    const home = this.homeOf(host);
    await this.#namespaces.nft(host, routerTalkRules(home.addresses.router));
    return async () => Number(/packets (\d+)/.exec(await this.exec(host, 'nft', 'list', 'table', 'inet', 'talk'))?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespaces[Symbol.asyncDispose]();
  }

  async #plug(what: string, state: 'up' | 'down'): Promise<void> {
    const home = this.#homes.get(what);
    if (home !== undefined) await this.#namespaces.ip('wan', 'link', 'set', home.port, state);
    else await this.#namespaces.ip(this.homeOf(what).router, 'link', 'set', what, state);
  }

  /** The home in which a host stands. */
  homeOf(host: string): Home {
    for (const home of this.#homes.values()) if (home.hosts.includes(host)) return home;
    throw new Error(`there is no host ${host}`);
  }

  /** Everybody's gateway swallows what has no way, as the internet does with packets to somebody's private address. */
  async #buildInternet(): Promise<void> {
    const ip = this.#namespaces.ip.bind(this.#namespaces);
    await Promise.all(['wan', 'server'].map((place) => this.#namespaces.make(place)));
    await this.#namespaces.bridge('wan', 'br0');
    await ip('wan', 'addr', 'add', `${WAN_GATEWAY}/24`, 'dev', 'br0');
    await ip('wan', 'addr', 'add', `${WAN_GATEWAY6}/64`, 'dev', 'br0', 'nodad');
    await ip('wan', '-6', 'route', 'add', 'blackhole', 'default');
    await this.exec('wan', 'sysctl', '-qw', 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=1');
    await this.#namespaces.cable('server', 'wan0', 'wan', 'to-server');
    await ip('wan', 'link', 'set', 'to-server', 'master', 'br0');
    for (const address of [SERVER_ADDRESS, SERVER_ADDRESS_2]) {
      await ip('server', 'addr', 'add', `${address}/24`, 'dev', 'wan0');
    }
    await ip('server', 'addr', 'add', `${SERVER_ADDRESS6}/64`, 'dev', 'wan0', 'nodad');
    await ip('server', 'route', 'add', 'default', 'via', WAN_GATEWAY);
    await ip('server', '-6', 'route', 'add', 'default', 'via', WAN_GATEWAY6);
  }
}
