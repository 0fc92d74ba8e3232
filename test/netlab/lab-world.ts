import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseBareJid } from '../../src/base/id.ts';
import { EngineProcess } from '../fixtures/engine-process.ts';
import { bringIn, passwordOf, Person } from '../fixtures/engine-world.ts';
import { connectBridged } from './bridged-engine.ts';
import { NetworkLab } from './network-lab.ts';
import { LabServers, PROXY_PORT } from './servers.ts';

const BRIDGE = path.join(import.meta.dirname, 'rpc-bridge.ts');

const LOG_LINES = 60;

export interface LabWorldPlan {
  /** Plans of homes by name. */
  readonly homes: Readonly<Record<string, string>>;
  /** The host of each person's engine. */
  readonly people: Readonly<Record<string, string>>;
  readonly announcesRelay?: boolean;
  readonly proxyPort?: number;
  /** Further arguments of `serve`, by person. */
  readonly serveArguments?: Readonly<Record<string, readonly string[]>>;
}

/** A laboratory with servers, and people with real engines on its hosts, who are signed in. */
export class LabWorld implements AsyncDisposable {
  readonly lab: NetworkLab;
  readonly servers: LabServers;
  readonly #stack: AsyncDisposableStack;
  readonly #people = new Map<string, Person>();

  private constructor(lab: NetworkLab, servers: LabServers, stack: AsyncDisposableStack) {
    this.lab = lab;
    this.servers = servers;
    this.#stack = stack;
  }

  /** Does something in a world; a failure is told with the last lines of the engines' logs. */
  static async with<T>(plan: LabWorldPlan, act: (world: LabWorld) => Promise<T>): Promise<T> {
    await using world = await LabWorld.start(plan);
    try {
      return await act(world);
    } catch (error) {
      throw new Error(`${String(error)}\n${await world.#logs()}`, { cause: error });
    }
  }

  static async start(plan: LabWorldPlan): Promise<LabWorld> {
    await using stack = new AsyncDisposableStack();
    const lab = stack.use(await NetworkLab.start(plan.homes));
    const users = Object.fromEntries(Object.keys(plan.people).map((name) => [name, passwordOf(name)]));
    const { announcesRelay = true, proxyPort = PROXY_PORT } = plan;
    const servers = stack.use(await LabServers.start(lab, { users, announcesRelay, proxyPort }));
    const world = new LabWorld(lab, servers, stack.move());
    try {
      await Promise.all(
        Object.entries(plan.people).map(([name, host]) => world.#add(name, host, plan.serveArguments?.[name] ?? [])),
      );
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  person(name: string): Person {
    const person = this.#people.get(name);
    if (person === undefined) throw new Error(`nobody is called ${name}`);
    return person;
  }

  /** A sphere of the first with all others in it; its id. */
  async sphere(name: string, owner: Person, ...others: Person[]): Promise<string> {
    const { id } = await owner.create(name);
    for (const other of others) await bringIn(id, name, owner, other);
    return id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #logs(): Promise<string> {
    const tails = Array.from(this.#people.values(), async ({ name, profile }) => {
      const folder = path.join(profile, 'logs');
      const files = await Promise.all((await readdir(folder)).map((file) => readFile(path.join(folder, file), 'utf8')));
      return `${name}:\n${files.join('').trimEnd().split('\n').slice(-LOG_LINES).join('\n')}`;
    });
    return (await Promise.all(tails)).join('\n');
  }

  async #add(name: string, host: string, serveArguments: readonly string[]): Promise<void> {
    const profile = path.join(this.lab.folder, name);
    await mkdir(profile);
    const options = { inside: this.lab.inside(host), env: { TMPDIR: this.lab.folder }, serveArguments };
    const engine = await EngineProcess.start({ ...options, profile });
    const socketFile = path.join(this.lab.folder, `${name}.sock`);
    const bridge = this.lab.spawn(host, process.execPath, BRIDGE, profile, socketFile);
    while (bridge.lines.length === 0) await delay(10);
    const connect = (signal: AbortSignal) => connectBridged(profile, socketFile, signal);
    const person = new Person({ name, jid: `${name}@${this.servers.domain}`, engine, options, connect });
    this.#people.set(name, this.#stack.use(person));
    const home = this.lab.homeOf(host);
    await person.ask((client) =>
      client.account.signIn({
        jid: parseBareJid(person.jid),
        password: passwordOf(name),
        caFile: this.servers.caFile,
        ...(home.plan.nat === 'web' ? { server: this.servers.webAddress } : {}),
      }),
    );
  }
}
