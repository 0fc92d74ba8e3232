import type { DeviceKey, SphereId } from '../base/id.ts';
import type { NetworkState } from '../contract/swarm.ts';
import { pathSchema } from '../contract/swarm.ts';
import type { DialOutcomes } from '../torrent/dial-outcomes.ts';
import type { Dialer } from '../torrent/dialer.ts';
import { spheresOf } from '../torrent/torrent-spec.ts';
import type { LanPresence } from './lan-presence.ts';
import type { MemberPorts } from './member-ports.ts';
import type { RtcLinks } from './rtc-links.ts';
import type { TorrentHost } from './torrent-host.ts';

export interface NetworkParts {
  readonly host: TorrentHost;
  readonly ports: MemberPorts | null;
  readonly lan: LanPresence;
  readonly rtc: RtcLinks;
  readonly dialer: Dialer;
  readonly outcomes: DialOutcomes;
  readonly suspects: number;
}

/** What the parts together know of the ways in and out. */
export function networkState({ host, ports, lan, rtc, dialer, outcomes, suspects }: NetworkParts): NetworkState {
  const attempts = host.spheres.ids.flatMap((sphereId) =>
    outcomes.list(sphereId, dialer.callees(sphereId), (device) => host.spheres.admits(sphereId, device)),
  );
  return {
    ports: ports?.states ?? [],
    pinholes: ports?.pinholes ?? [],
    interfaces: lan.interfaces,
    lanHeard: lan.heard,
    webrtc: rtc.isReady ? 'ready' : 'unavailable',
    iceServers: rtc.servers,
    links: bestLinks(host),
    suspect: suspects,
    attempts,
  };
}

function bestLinks(host: TorrentHost): NetworkState['links'] {
  const rank = (path: NetworkState['links'][number]['path']): number => pathSchema.options.indexOf(path);
  const best = new Map<string, NetworkState['links'][number]>();
  for (const torrent of host.active) {
    for (const { device, route, isSuspect } of torrent.links) {
      if (isSuspect) continue;
      const spheres = spheresOf(torrent.spec);
      const sphereId = spheres.find((id) => host.spheres.admits(id, device)) ?? torrent.spec.sphereId;
      const link = linkOf(sphereId, device, route);
      const known = best.get(`${link.sphereId} ${device}`);
      if (known === undefined || rank(link.path) < rank(known.path)) best.set(`${link.sphereId} ${device}`, link);
    }
  }
  return Array.from(best.values());
}

function linkOf(
  sphereId: SphereId,
  device: DeviceKey,
  route: { path: NetworkState['links'][number]['path']; address: string },
) {
  return { sphereId, device, path: route.path, address: route.address };
}
