// BEP 14: Local Service Discovery, version 20150210
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { BlockList, isIPv6 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { networkInterfaces } from 'node:os';
import { AppError } from '../base/errors.ts';
import { isLinkLocal } from '../base/ip-address.ts';
import { multicastInterface6 } from '../base/multicast-interface.ts';
import type { LanGroup } from './lan-announce.ts';
import { LAN_GROUPS } from './lan-announce.ts';

/** One address of this machine in a network of its own. */
export interface LanInterface {
  readonly name: string;
  readonly address: string;
  /** The network it lies in, as `192.0.2.0/24`. */
  readonly cidr: string;
  readonly group: LanGroup;
}

/** One interface listening and speaking in its group. */
export interface LanSocket extends Disposable {
  send(packet: Uint8Array): void;
}

export type LanListener = (packet: Uint8Array, sender: string) => void;

/** The networks of this machine: injected, so that tests need none. */
export interface LanNetwork {
  interfaces(): LanInterface[];
  /** `onPacket` hears only senders of the very network. Rejects when the interface does not take part. */
  open(lan: LanInterface, onPacket: LanListener, onError: (error: unknown) => void): Promise<LanSocket>;
}

/** The networks the system really has. */
export const systemLanNetwork: LanNetwork = {
  interfaces: () =>
    Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
      (entries ?? []).flatMap((entry) => {
        const group = LAN_GROUPS.find(({ family }) => `IPv${family}` === entry.family);
        // Alone, a link-local address names a machine on every link, so nobody could be told to call it.
        const isOurs = !entry.internal && !isLinkLocal(entry.address) && entry.cidr !== null && group !== undefined;
        return isOurs ? [{ name, address: entry.address, cidr: entry.cidr ?? '', group }] : [];
      }),
    ),
  open: openLanSocket,
};

async function openLanSocket(
  lan: LanInterface,
  onPacket: LanListener,
  onError: (error: unknown) => void,
): Promise<LanSocket> {
  const { family, port, address: group } = lan.group;
  // Every program of this machine that takes part shares the port.
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', reuseAddr: true, ipv6Only: family === 6 });
  try {
    await bind(socket, port);
    const on = family === 6 ? multicastInterface6(process.platform, lan.name, addressesOn(lan.name)) : lan.address;
    socket.addMembership(group, on);
    socket.setMulticastInterface(on);
    // Not beyond the own network.
    socket.setMulticastTTL(1);
  } catch (cause) {
    socket.close();
    throw new AppError('not-found', 'the network cannot be listened to', { family }, cause);
  }
  const network = networkOf(lan);
  socket.on('error', onError);
  socket.on('message', (packet, sender) => {
    if (network.check(sender.address, isIPv6(sender.address) ? 'ipv6' : 'ipv4')) onPacket(packet, sender.address);
  });
  // It alone keeps no process alive.
  socket.unref();
  return {
    send: (packet) =>
      socket.send(packet, port, group, (error) => {
        if (error !== null) onError(error);
      }),
    [Symbol.dispose]: () => void socket.close(),
  };
}

function addressesOn(name: string): NetworkInterfaceInfo[] {
  return networkInterfaces()[name] ?? [];
}

function bind(socket: Socket, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

function networkOf({ cidr, group }: LanInterface): BlockList {
  const [address = '', bits = ''] = cidr.split('/');
  const list = new BlockList();
  list.addSubnet(address, Number(bits), group.family === 6 ? 'ipv6' : 'ipv4');
  return list;
}
