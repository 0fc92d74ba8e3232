import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import type { LimitsView } from '../contract/views.ts';
import type { NativeRtc } from '../nat/rtc/native-rtc.ts';
import { ed25519PrivateKey } from '../torrent/ed25519.ts';
import { FileThread } from '../torrent/file-thread.ts';
import { Hasher } from '../torrent/hasher.ts';
import type { LanNetwork } from '../torrent/lan-network.ts';
import { PieceTags } from '../torrent/piece-tags.ts';
import { EventStream } from './event-stream.ts';
import type { PortMapping } from './port-mapping.ts';
import { StagedSegments } from './staged-segments.ts';
import type { NodeDeps } from './swarm-node.ts';
import { SwarmNode } from './swarm-node.ts';

export interface SwarmServiceDeps extends Pick<NodeDeps, 'strangerPolicy' | 'resolve'> {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly portMapping: PortMapping;
  readonly lanNetwork: LanNetwork;
  /** Fails where there is no WebRTC. */
  readonly loadRtc: () => Promise<NativeRtc>;
  /** Where a bundler put the hashing worker's entry; the source file when left out. */
  readonly hashWorkerUrl?: URL;
}

export interface StartOptions {
  readonly deviceKey: DeviceKey;
  readonly devicePrivateKey: Uint8Array;
  readonly dataPort: number;
  readonly addresses: readonly string[];
  readonly mapPorts: boolean;
  readonly discoverOn: readonly string[];
  readonly extraPorts: readonly number[];
  readonly tracker: boolean;
  readonly limits: LimitsView;
}

/** What the process holds: hashing at any time, and a node between `start` and `stop`. */
export class SwarmService implements AsyncDisposable {
  readonly hasher: Hasher;
  readonly #tags: PieceTags;
  readonly #files = new FileThread();
  readonly staged = new StagedSegments();
  readonly #deps: SwarmServiceDeps;
  readonly #stream = new EventStream<SwarmEvent>();
  readonly #changes = new SerialQueue();
  #node: SwarmNode | null = null;

  constructor(deps: SwarmServiceDeps) {
    this.#deps = deps;
    this.#tags = new PieceTags(deps.random);
    this.hasher = new Hasher({
      clock: deps.clock,
      tags: this.#tags,
      log: deps.log,
      files: this.#files,
      ...(deps.hashWorkerUrl === undefined ? {} : { workerUrl: deps.hashWorkerUrl }),
    });
  }

  /** Fails with `swarm-unavailable` before `start` and after `stop`. */
  get node(): SwarmNode {
    if (this.#node === null) throw new AppError('swarm-unavailable', 'the swarm is not started');
    return this.#node;
  }

  /** Starting again replaces what ran before. */
  start(options: StartOptions): Promise<{ dataPort: number; trackerPort: number }> {
    return this.#changes.run(async () => {
      await this.#end();
      const self = { device: options.deviceKey, privateKey: ed25519PrivateKey(options.devicePrivateKey) };
      this.#node = await SwarmNode.start(
        { ...this.#deps, tags: this.#tags, small: this.#files, stream: this.#stream },
        { ...options, self },
      );
      return this.#node.ports;
    });
  }

  stop(): Promise<void> {
    return this.#changes.run(() => this.#end());
  }

  events(signal: AbortSignal): AsyncGenerator<SwarmEvent[], void> {
    return this.#stream.read(this.#node?.reporter.snapshot() ?? [], signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.hasher[Symbol.asyncDispose]();
    await this.#files[Symbol.asyncDispose]();
  }

  async #end(): Promise<void> {
    const node = this.#node;
    this.#node = null;
    await node?.[Symbol.asyncDispose]();
  }
}
