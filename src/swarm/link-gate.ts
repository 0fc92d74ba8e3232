import type { Duplex } from 'node:stream';
import type { DeviceKey } from '../base/id.ts';
import type { Dialled } from '../torrent/dialer.ts';
import type { PeerLink } from '../torrent/peer-link.ts';
import type { ConnectionInfo } from '../torrent/torrent-swarm.ts';
import { arbitrate } from './duplicates.ts';

const MOST_LINKS = 500;
const MOST_LINKS_PER_TORRENT = 60;

type Link = Pick<
  PeerLink,
  'device' | 'weDialled' | 'route' | 'ageMs' | 'silentMs' | 'idleMs' | 'isSuspect' | 'isLetGo' | 'destroy'
>;

/** A torrent as the gate sees it. */
export interface GatedTorrent {
  readonly links: readonly Link[];
  connect(stream: Duplex, info: ConnectionInfo): void;
}

export interface LinkGateDeps {
  readonly device: DeviceKey;
  readonly torrents: () => Iterable<GatedTorrent>;
}

/** Lets admitted streams in: one per device and torrent, and no more in all than there is room for. */
export class LinkGate {
  readonly #deps: LinkGateDeps;

  constructor(deps: LinkGateDeps) {
    this.#deps = deps;
  }

  /** Hands the stream to the torrent, or ends it when it is one too many. */
  connect(torrent: GatedTorrent, { stream, route, admitted: { device } }: Dialled, weDialled: boolean): void {
    const existing = staying(torrent).filter((link) => link.device === device);
    const pair = { ours: this.#deps.device, theirs: device };
    const known = existing.map((link) => ({
      link,
      weDialled: link.weDialled,
      path: link.route.path,
      ageMs: link.ageMs,
      silentMs: link.silentMs,
      isSuspect: link.isSuspect,
    }));
    const verdict = arbitrate(pair, known, { weDialled, path: route.path });
    for (const { link } of verdict.drop) link.destroy();
    // One that takes the place of another is none more: the caller ends the other.
    const spared = existing.length > verdict.drop.length ? 1 : 0;
    if (verdict.accept && this.#makeRoom(torrent, device, spared))
      torrent.connect(stream, { device, route, weDialled });
    else stream.destroy();
  }

  #makeRoom(torrent: GatedTorrent, device: DeviceKey, spared: number): boolean {
    const ofTorrent = staying(torrent);
    if (ofTorrent.length - spared >= MOST_LINKS_PER_TORRENT) return giveWay(ofTorrent, device, spared);
    const all = Array.from(this.#deps.torrents(), staying).flat();
    return all.length - spared < MOST_LINKS || giveWay(all, device, spared);
  }
}

/** One that we have ended is gone, although its stream takes a moment to close. */
function staying({ links }: GatedTorrent): Link[] {
  return links.filter((link) => !link.isLetGo);
}

/**
 * The device with most links ends the one that has carried no data for longest, unless the newcomer would then have as
 * many as it had: so each change makes it more even, and whoever gave way and comes back takes nothing back.
 */
function giveWay(links: readonly Link[], newcomer: DeviceKey, spared: number): boolean {
  const devices = Map.groupBy(links, ({ device }) => device);
  const own = (devices.get(newcomer)?.length ?? 0) - spared;
  const most = Array.from(devices.values()).reduce((a, b) => (b.length > a.length ? b : a), []);
  if (own + 1 >= most.length) return false;
  most.reduce((a, b) => (b.idleMs > a.idleMs ? b : a)).destroy();
  return true;
}
