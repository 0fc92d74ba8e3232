import { setTimeout as delay } from 'node:timers/promises';
import path from 'node:path';
import * as z from 'zod';
import { DOMAIN, SERVER_ADDRESS, SERVER_ADDRESS_2 } from './addresses.ts';
import type { LabProcess } from './lab-process.ts';
import type { NetworkLab } from './network-lab.ts';

const MAIN = path.join(import.meta.dirname, 'servers-main.ts');
/** Where Prosody's proxy for bytestreams listens unless it is told otherwise. */
export const PROXY_PORT = 5000;
const readySchema = z.object({ caFile: z.string(), log: z.string() });

/** An XMPP server with a STUN and TURN server beside it, at the laboratory's internet. */
export class LabServers implements AsyncDisposable {
  readonly domain = DOMAIN;
  /** For bytestreams. */
  readonly proxy = `proxy.${DOMAIN}`;
  /** STARTTLS. */
  readonly address = `${SERVER_ADDRESS}:5222`;
  /** TLS from the first byte, for homes that reach the web only. */
  readonly webAddress = `${SERVER_ADDRESS_2}:443`;
  readonly caFile: string;
  /** Of Prosody. */
  readonly log: string;
  readonly #process: LabProcess;

  private constructor(process: LabProcess, ready: z.infer<typeof readySchema>) {
    this.#process = process;
    this.caFile = ready.caFile;
    this.log = ready.log;
  }

  /**
   * `users` are passwords by name; the relay is always there, and announced by XEP-0215 unless that is refused.
   * `proxyPort` is that of the proxy for bytestreams (XEP-0065).
   */
  static async start(
    lab: NetworkLab,
    options: {
      readonly users: Readonly<Record<string, string>>;
      readonly announcesRelay?: boolean;
      readonly proxyPort?: number;
    },
  ): Promise<LabServers> {
    const { users, announcesRelay = true, proxyPort = PROXY_PORT } = options;
    const wanted = JSON.stringify({ users, announcesRelay, proxyPort });
    const program = lab.spawn('server', process.execPath, MAIN, wanted);
    while (program.lines.length === 0) {
      if (program.child.exitCode !== null) throw new Error(`the servers ended with ${program.child.exitCode}`);
      await delay(20);
    }
    return new LabServers(program, readySchema.parse(JSON.parse(program.lines[0] ?? '')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end('SIGTERM');
  }
}
