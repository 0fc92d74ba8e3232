import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { IceServer } from '../../src/nat/rtc/ice-servers.ts';
import type { NetworkLab } from './network-lab.ts';
import type { RtcPeerAnswer, RtcPeerCall } from './rtc-peer.ts';

const PEER = path.join(import.meta.dirname, 'rtc-peer.ts');
const LIMIT_MS = 120_000;

type Answer<Kind extends RtcPeerAnswer['kind']> = Extract<RtcPeerAnswer, { kind: Kind }>;

/** One end of a link, in a process of its own. */
export class RtcPeer {
  readonly child: ChildProcess;
  readonly heard: RtcPeerAnswer[] = [];
  /** The other end: what that one heard, and whether it ended, tells why this one waits in vain. */
  other: RtcPeer | undefined;
  #taken = 0;
  #wake: () => void = () => undefined;

  constructor(child: ChildProcess, onSignal: (call: RtcPeerCall) => void) {
    this.child = child;
    child.on('message', (answer: RtcPeerAnswer) => {
      if (answer.kind === 'signal') onSignal({ call: 'signal', signal: answer.signal });
      else this.heard.push(answer);
      this.#wake();
    });
    child.once('exit', () => this.#wake());
  }

  call(call: RtcPeerCall): void {
    // A process that is about to end takes none.
    if (this.child.connected) this.child.send(call, () => undefined);
  }

  /** The next answer of that kind; those before it are passed over. */
  async hear<Kind extends RtcPeerAnswer['kind']>(
    kind: Kind,
    fits: (answer: Answer<Kind>) => boolean = () => true,
  ): Promise<Answer<Kind>> {
    const isWanted = (answer: RtcPeerAnswer): answer is Answer<Kind> =>
      answer.kind === kind && fits(answer as Answer<Kind>);
    const end = performance.now() + LIMIT_MS;
    for (;;) {
      while (this.#taken < this.heard.length) {
        const answer = this.heard[this.#taken];
        this.#taken += 1;
        if (answer !== undefined && isWanted(answer)) return answer;
        if (answer?.kind === 'failed') throw new Error(`the peer failed: ${answer.code}`);
      }
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`the peer ended: ${this.how}`);
      if (performance.now() > end) throw new Error(`waited in vain for ${kind} after ${this.#told}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 500);
      });
    }
  }

  /** How the process ended: exit code or signal. */
  get how(): number | string | null {
    return this.child.signalCode ?? this.child.exitCode;
  }

  get #told(): string {
    const others = this.other === undefined ? [] : [`${JSON.stringify(this.other.heard)} (${this.other.how})`];
    return [JSON.stringify(this.heard), ...others].join('; the other after ');
  }

  async quit(): Promise<number | string | null> {
    const gone = once(this.child, 'exit');
    this.call({ call: 'quit' });
    await gone;
    return this.how;
  }
}

/** Two peers on two hosts of a laboratory, whose signals go from one to the other. */
export class RtcPair {
  readonly near: RtcPeer;
  readonly far: RtcPeer;
  /** false = signals are lost. */
  isHeard = true;

  constructor(lab: NetworkLab, hosts: readonly [string, string], iceServers: readonly IceServer[] = []) {
    this.near = new RtcPeer(lab.fork(hosts[0], PEER), (call) => {
      if (this.isHeard) this.far.call(call);
    });
    this.far = new RtcPeer(lab.fork(hosts[1], PEER), (call) => {
      if (this.isHeard) this.near.call(call);
    });
    this.near.other = this.far;
    this.far.other = this.near;
    const [low, high] = ['1'.repeat(64), 'f'.repeat(64)];
    this.near.call({ call: 'start', self: low, remote: high, iceServers });
    this.far.call({ call: 'start', self: high, remote: low, iceServers });
  }
}
