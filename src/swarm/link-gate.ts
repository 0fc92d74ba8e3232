import type { Duplex } from 'node:stream';
import type { DeviceKey } from '../base/id.ts';
import { householdOf } from '../base/ip-address.ts';
import type { Dialled } from '../torrent/dialer.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import type { Link as AnyLink } from '../torrent/link.ts';
import type { Route } from '../torrent/route.ts';
import type { ConnectionInfo } from '../torrent/connection-info.ts';
import { arbitrate } from './duplicates.ts';

const MOST_LINKS = 500;
const MOST_LINKS_PER_TORRENT = 60;
/** Several families may share an address; others always find room beside them. */
const MOST_LINKS_PER_ADDRESS = 300;
/** Of one device, beyond one for each torrent: for calls that cross, and for what it left behind when its network changed. */
const MOST_SPARE_LINKS = 8;
const MOST_KNOWN_ADDRESSES = 2_000;

type Link = Pick<
  AnyLink,
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

interface Newcomer extends Pick<ConnectionInfo, 'device' | 'route'> {
  /** The device has no other link for the torrent. */
  readonly isFirst: boolean;
}

/** Lets admitted streams in: no more of a device, of an address, for a torrent and in all than there is room for. */
export class LinkGate {
  readonly #deps: LinkGateDeps;
  /** By endpoint, because it takes long to tell and is asked of every link at every call. */
  readonly #households = new Map<string, string>();

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
    const replaced = existing.find((link) => !link.isLetGo);
    const newcomer = { device, route, isFirst: existing.length === 0 };
    if (verdict.accept && this.#makeRoom(torrent, newcomer, replaced))
      torrent.connect(stream, { device, route, weDialled });
    else stream.destroy();
  }

  /** Whether there is room; who has to give way for it is ended, and nobody where there is none. */
  #makeRoom(torrent: GatedTorrent, { device, route, isFirst }: Newcomer, replaced: Link | undefined): boolean {
    const torrents = Array.from(this.#deps.torrents());
    const all = torrents.flatMap(staying).filter((link) => link !== replaced);
    const ofTorrent = staying(torrent).filter((link) => link !== replaced);
    const ofDevice = all.filter((link) => link.device === device);
    // Who leaves a relay is not sent back to it: that would end the relayed link again and again, and give none.
    const address = isFirst ? this.#addressOf(route) : null;
    const ofAddress = address === null ? [] : all.filter((link) => this.#addressOf(link.route) === address);
    const greediest = (links: Link[]): Link | null => ofGreediest(links, device);
    const leaving = new Set<Link>();
    const limits = [
      // Links that died and are not known to be dead are the first to go when it calls anew.
      { links: ofDevice, most: torrents.length + MOST_SPARE_LINKS, next: idlest },
      { links: ofTorrent, most: MOST_LINKS_PER_TORRENT, next: greediest },
      { links: ofAddress, most: MOST_LINKS_PER_ADDRESS, next: greediest },
      { links: all, most: MOST_LINKS, next: greediest },
    ];
    for (const { links, most, next } of limits) {
      const left = links.filter((link) => !leaving.has(link));
      if (left.length < most) continue;
      const link = next(left);
      if (link === null) return false;
      leaving.add(link);
    }
    for (const link of leaving) link.destroy();
    return true;
  }

  /** What families behind one router share; null where the address is that of a relay. */
  #addressOf({ path, address }: Route): string | null {
    if (path === 'turn') return null;
    const known = this.#households.get(address);
    if (known !== undefined) return known;
    const household = householdOf(parseEndpoint(address)?.host ?? address);
    if (this.#households.size >= MOST_KNOWN_ADDRESSES) this.#households.clear();
    this.#households.set(address, household);
    return household;
  }
}

/** One that we have ended is gone, although its stream takes a moment to close. */
function staying({ links }: GatedTorrent): Link[] {
  return links.filter((link) => !link.isLetGo);
}

/**
 * Of the device with most links the one that has carried no data for longest, unless the newcomer would then have as
 * many as it had: so each change makes it more even, and whoever gave way and comes back takes nothing back.
 */
function ofGreediest(links: readonly Link[], newcomer: DeviceKey): Link | null {
  const devices = Map.groupBy(links, ({ device }) => device);
  const own = devices.get(newcomer)?.length ?? 0;
  const most = Array.from(devices.values()).reduce((a, b) => (b.length > a.length ? b : a), []);
  return own + 1 >= most.length ? null : idlest(most);
}

function idlest(links: readonly Link[]): Link | null {
  return links.reduce<Link | null>((a, b) => (a === null || b.idleMs > a.idleMs ? b : a), null);
}
