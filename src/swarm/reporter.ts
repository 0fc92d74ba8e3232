import type { Clock } from '../base/clock.ts';
import type { InfoHash } from '../base/id.ts';
import type { FileIdentity, NetworkState, SwarmEvent, SwarmPeer, TorrentState } from '../contract/swarm.ts';
import type { HeldTorrent } from '../torrent/held-torrent.ts';
import type { HeldSpec, TorrentChange } from '../torrent/torrent-spec.ts';
import type { EventStream } from './event-stream.ts';

/** Between two reports of the pieces of one torrent. */
const HAVE_MS = 250;
const SUMMARY_MS = 1_000;

/** What is told of a torrent. */
export type ReportedTorrent = Pick<
  HeldTorrent<HeldSpec>,
  'spec' | 'state' | 'bitfield' | 'identities' | 'isAsTold' | 'links' | 'bytesOf'
>;

export interface ReporterDeps {
  readonly clock: Clock;
  readonly torrents: () => Iterable<ReportedTorrent>;
  /** Those of them of which anything can change without being told. */
  readonly active: () => Iterable<ReportedTorrent>;
  /** Those of them whose peers are devices of members: strangers are told of in numbers only. */
  readonly ofMembers: () => Iterable<ReportedTorrent>;
  readonly port: () => number;
  readonly network: () => NetworkState;
  readonly stream: EventStream<SwarmEvent>;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

type Candidates = Extract<SwarmEvent, { kind: 'candidates' }>;

/** Turns what happens into events: at once, but pieces of one torrent at most four times a second. */
export class Reporter {
  readonly #deps: ReporterDeps;
  /** Those whose pieces are told in a moment. */
  readonly #dirty = new Set<InfoHash>();
  /** When the pieces of a torrent were told last, monotonic. */
  readonly #toldMs = new Map<InfoHash, number>();
  readonly #phases = new Map<InfoHash, TorrentState['state']>();
  readonly #states = new Map<InfoHash, string>();
  #candidates: Candidates | null = null;
  #peers = '';
  #totals = '';

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  changed(torrent: ReportedTorrent, change: TorrentChange): void {
    if (change.kind === 'have') this.#haveChanged(torrent);
    else if (change.kind === 'written') this.#reportHave(torrent, null);
    else if (change.kind === 'complete') this.#reportHave(torrent, change.identities);
    else if (change.kind === 'state') this.#reportPhase(torrent);
  }

  forget(torrent: ReportedTorrent): void {
    const { infoHash } = torrent.spec;
    for (const known of [this.#dirty, this.#toldMs, this.#phases, this.#states]) known.delete(infoHash);
  }

  /** The same as before are told when one of them is open only now: members may have called there in vain. */
  setCandidates(candidates: Candidates, isOpenNow: boolean): void {
    const before = JSON.stringify(this.#candidates);
    this.#candidates = candidates;
    if (isOpenNow || JSON.stringify(candidates) !== before) this.#deps.stream.emit(candidates);
  }

  /** Everything a new reader has to know before it hears of changes. */
  snapshot(): SwarmEvent[] {
    const events: SwarmEvent[] = this.#candidates === null ? [] : [this.#candidates];
    for (const torrent of this.#deps.torrents()) {
      const { state } = torrent;
      if (!torrent.isAsTold) events.push(haveEvent(torrent, torrent.identities));
      events.push({ kind: 'state', torrent: state });
    }
    const network = { kind: 'network' as const, network: this.#deps.network() };
    return [...events, { kind: 'peers', peers: this.#allPeers() }, this.#total(), network];
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(SUMMARY_MS, signal);
      this.#summarise();
    }
  }

  /** The first piece is told at once: somebody may wait for it. */
  #haveChanged(torrent: ReportedTorrent): void {
    const { infoHash } = torrent.spec;
    if (this.#dirty.has(infoHash)) return;
    const { clock, spawn } = this.#deps;
    const againMs = (this.#toldMs.get(infoHash) ?? -Infinity) + HAVE_MS - clock.monotonic();
    if (againMs <= 0) {
      this.#reportHave(torrent, null);
      return;
    }
    this.#dirty.add(infoHash);
    spawn('tell pieces', async (signal) => {
      await clock.sleep(againMs, signal);
      if (this.#dirty.has(infoHash)) this.#reportHave(torrent, null);
    });
  }

  #reportHave(torrent: ReportedTorrent, identities: FileIdentity[] | null): void {
    this.#dirty.delete(torrent.spec.infoHash);
    this.#toldMs.set(torrent.spec.infoHash, this.#deps.clock.monotonic());
    this.#deps.stream.emit(haveEvent(torrent, identities));
  }

  #reportPhase(torrent: ReportedTorrent): void {
    const { infoHash } = torrent.spec;
    const { state } = torrent;
    if (this.#phases.get(infoHash) !== state.state) this.#reportState(torrent, state);
  }

  #reportState(torrent: ReportedTorrent, state: TorrentState): void {
    const { infoHash } = torrent.spec;
    const isNewPhase = this.#phases.get(infoHash) !== state.state;
    // The pieces come first: a new phase may say that all that was wanted is here.
    if (isNewPhase && this.#dirty.has(infoHash)) this.#reportHave(torrent, null);
    this.#phases.set(infoHash, state.state);
    this.#states.set(infoHash, JSON.stringify(state));
    this.#deps.stream.emit({ kind: 'state', torrent: state });
  }

  #summarise(): void {
    for (const torrent of this.#deps.active()) {
      const { state } = torrent;
      if (this.#states.get(torrent.spec.infoHash) !== JSON.stringify(state)) this.#reportState(torrent, state);
    }
    const peers = this.#allPeers();
    const peersText = JSON.stringify(peers);
    if (peersText !== this.#peers) this.#deps.stream.emit({ kind: 'peers', peers });
    this.#peers = peersText;
    const total = this.#total();
    const totalText = JSON.stringify(total);
    if (totalText !== this.#totals) this.#deps.stream.emit(total);
    this.#totals = totalText;
  }

  #allPeers(): SwarmPeer[] {
    return Array.from(this.#deps.ofMembers()).flatMap((torrent) =>
      torrent.links.map((link) => ({
        infoHash: torrent.spec.infoHash,
        device: link.device,
        address: link.route.address,
        path: link.route.path,
        bytesHave: torrent.bytesOf(link),
        downBps: Math.round(link.rates.down),
        upBps: Math.round(link.rates.up),
      })),
    );
  }

  #total(): SwarmEvent {
    const states = Array.from(this.#deps.active(), (torrent) => torrent.state);
    const sum = (of: (state: TorrentState) => number): number => states.reduce((total, state) => total + of(state), 0);
    return {
      kind: 'totals',
      downBps: sum((state) => state.downBps),
      upBps: sum((state) => state.upBps),
      peers: sum((state) => state.peers),
      port: this.#deps.port(),
    };
  }
}

function haveEvent(torrent: ReportedTorrent, identities: FileIdentity[] | null): SwarmEvent {
  return {
    kind: 'have',
    infoHash: torrent.spec.infoHash,
    bitfield: torrent.bitfield,
    bytesHave: torrent.state.bytesHave,
    identities,
  };
}
