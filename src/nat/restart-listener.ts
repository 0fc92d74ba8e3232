// RFC 6887: Port Control Protocol (PCP), and RFC 6886: NAT Port Mapping Protocol (NAT-PMP)
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import type { Logger } from '../base/log.ts';
import { decodeNatPmp } from './nat-pmp-message.ts';
import { decodePcp } from './pcp-message.ts';

/** RFC 6887 §14.1.3 and RFC 6886 §3.2.1: where routers tell that they restarted or have a new outside address. */
export const ANNOUNCEMENTS = { group: '224.0.0.1', port: 5350 } as const;

export interface RestartListenerDeps {
  readonly log: Logger;
  readonly group: string;
  readonly port: number;
  /** Told the address of whoever announced something; anybody in the home network can. */
  readonly onRestart: (router: string) => void;
}

/** Hears what routers announce. Several programs of a machine may listen at the same time. */
export class RestartListener implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;

  constructor({ log, group, port, onRestart }: RestartListenerDeps) {
    // RFC 6887 §14.1.3 wants the port shared; each program gets its own copy of a multicast packet.
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', resolve));
    // The port may belong to a program that does not share it: then restarts are noticed a little later.
    socket.on('error', (error) => log.debug('announcements of routers are not heard', { error }));
    socket.on('message', (packet, sender) => {
      if (isAnnouncement(packet)) onRestart(sender.address);
    });
    socket.bind(port, () => {
      try {
        socket.addMembership(group);
      } catch (error) {
        // Every machine is in this group already; some systems want it said and some refuse it.
        log.debug('not a member of the group of routers', { error });
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#closed;
  }
}

/** Whether a packet is a router's word that nobody asked for. */
export function isAnnouncement(packet: Uint8Array): boolean {
  const pcp = decodePcp(packet);
  if (pcp?.kind === 'announce') return pcp.result === 0;
  return decodeNatPmp(packet)?.kind === 'address';
}
