import { onTestFinished } from 'vitest';
import { SWARM } from '../fixtures/programs.ts';
import { SwarmPeer } from '../integration/swarm-peer.ts';
import type { NetworkLab } from './network-lab.ts';

export interface PeerOptions {
  readonly discoverLan?: boolean;
  readonly dataPort?: number;
  /** Bytes a second. */
  readonly limits?: { readonly up: number; readonly down: number };
}

/** A swarm process on a host of the laboratory, until the test ends. */
export async function peerAt(lab: NetworkLab, place: string, options: PeerOptions = {}): Promise<SwarmPeer> {
  const own = (await lab.exec(place, 'hostname', '-I')).trim().split(' ');
  const discoverOn = options.discoverLan === true ? own : [];
  const peer = await SwarmPeer.of(lab.fork(place, SWARM), {
    address: own[0] ?? '',
    addresses: [],
    discoverOn,
    ...options,
  });
  onTestFinished(() => peer[Symbol.asyncDispose]());
  return peer;
}

/** Signals go from one to the other, as the engines would bring them. */
export function passSignals(anna: SwarmPeer, ben: SwarmPeer): void {
  for (const [one, other] of [
    [anna, ben],
    [ben, anna],
  ] as const) {
    one.onSignal = ({ sphereId, signal }) => {
      void other.client.signal({ sphereId, device: one.device.key, signal });
    };
  }
}
