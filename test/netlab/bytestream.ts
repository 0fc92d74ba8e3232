import type { ChildProcess } from 'node:child_process';
import { on } from 'node:events';
import path from 'node:path';
import { passwordOf } from '../fixtures/engine-world.ts';
import type { BytestreamAnswer, BytestreamCall } from './bytestream-peer.ts';
import { endProcess } from './lab-process.ts';
import type { NetworkLab } from './network-lab.ts';
import type { LabServers } from './servers.ts';

const PEER = path.join(import.meta.dirname, 'bytestream-peer.ts');
const LIMIT_MS = 120_000;

/** A file that went from one host to the other; times from the wish to send it. */
interface Streamed {
  readonly firstMs: number;
  readonly wholeMs: number;
  readonly sha256: string;
}

/** Two accounts in two homes that send each other files through the server's proxy, without an engine. */
export class Bytestream implements AsyncDisposable {
  readonly #proxy: string;
  readonly #sender: End;
  readonly #receiver: End;
  #to = '';

  private constructor(proxy: string, sender: End, receiver: End) {
    this.#proxy = proxy;
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /** `sender` and `receiver` are an account's name and a host. */
  static async start(
    lab: NetworkLab,
    servers: LabServers,
    { sender, receiver }: Readonly<Record<'sender' | 'receiver', { readonly name: string; readonly host: string }>>,
  ): Promise<Bytestream> {
    const ends = [sender, receiver].map(({ host }) => new End(lab.fork(host, PEER))) as [End, End];
    const stream = new Bytestream(servers.proxy, ...ends);
    try {
      const [, to] = await Promise.all(
        [sender, receiver].map(async ({ name, host }, index) => {
          const isWeb = lab.homeOf(host).plan.nat === 'web';
          ends[index]?.call({
            call: 'sign-in',
            jid: `${name}@${servers.domain}`,
            password: passwordOf(name),
            caFile: servers.caFile,
            server: isWeb ? servers.webAddress : servers.address,
          });
          return await ends[index]?.hear('online');
        }),
      );
      stream.#to = to?.jid ?? '';
      return stream;
    } catch (error) {
      await stream[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Rejects when the two do not get through to the proxy. */
  async send(file: string, bytes: number): Promise<Streamed> {
    this.#receiver.call({ call: 'receive', bytes });
    await this.#receiver.hear('ready');
    const begin = performance.now();
    this.#sender.call({ call: 'send', to: this.#to, file, proxy: this.#proxy });
    const [, streamed] = await Promise.all([this.#sender.hear('sent'), this.#receive(begin)]);
    return streamed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#sender[Symbol.asyncDispose](), this.#receiver[Symbol.asyncDispose]()]);
  }

  async #receive(begin: number): Promise<Streamed> {
    await this.#receiver.hear('first');
    const firstMs = performance.now() - begin;
    const { sha256 } = await this.#receiver.hear('whole');
    return { firstMs, wholeMs: performance.now() - begin, sha256 };
  }
}

type Answer<Kind extends BytestreamAnswer['kind']> = Extract<BytestreamAnswer, { kind: Kind }>;

class End implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: NodeJS.AsyncIterator<unknown[]>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#answers = on(child, 'message', { close: ['exit'] });
  }

  call(call: BytestreamCall): void {
    this.#child.send(call);
  }

  async hear<Kind extends BytestreamAnswer['kind']>(kind: Kind): Promise<Answer<Kind>> {
    const limit = setTimeout(() => this.#child.kill('SIGKILL'), LIMIT_MS);
    try {
      for (;;) {
        const { value, done } = await this.#answers.next();
        if (done === true) throw new Error(`one end of the stream ended before ${kind}`);
        const [answer] = value as [BytestreamAnswer];
        if (answer.kind === 'failed') throw new Error(answer.why);
        if (answer.kind === kind) return answer as Answer<Kind>;
      }
    } finally {
      clearTimeout(limit);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#child, 'SIGKILL');
  }
}
