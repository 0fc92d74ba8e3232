import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { localAddressTowards } from '../../../src/nat/ask-udp.ts';
import type { Gateway, InnerPort, Mapping, MappingRequest } from '../../../src/nat/gateway.ts';
import { SSDP_GROUP } from '../../../src/nat/upnp.ts';

interface Options {
  readonly public: number;
  readonly private?: number;
  readonly ttl?: number;
  readonly protocol: string;
}
type Done<T> = (error: Error | null, result?: T) => void;

/** As far as it is used here. */
interface Client {
  externalIp(callback: Done<string>): void;
  portMapping(options: Options, callback: Done<unknown>): void;
  portUnmapping(options: Options, callback: Done<unknown>): void;
  getMappings(callback: Done<readonly { public: { port: number }; local: boolean }[]>): void;
}
interface Device {
  readonly services: string[];
}
interface NatUpnp {
  createClient(): Client;
  readonly device: { create(url: string): Device };
}

/** nat-upnp 1.1.1 behind our interface, with the one service type added without which it finds no router of version 2. */
export async function findNatUpnp(address: string): Promise<Gateway> {
  const library = createRequire(import.meta.url)('nat-upnp') as NatUpnp;
  const { create } = library.device;
  library.device.create = (url) => {
    const device = create(url);
    device.services.push('urn:schemas-upnp-org:service:WANIPConnection:2');
    return device;
  };
  const client = library.createClient();
  await promisify((callback: Done<string>) => client.externalIp(callback))();
  return new NatUpnpPeer(client, address);
}

class NatUpnpPeer implements Gateway {
  readonly kind = 'upnp';
  readonly address: string;
  readonly #client: Client;

  constructor(client: Client, address: string) {
    this.#client = client;
    this.address = address;
  }

  async map({ protocol, internalPort, wantedExternalPort, lifetimeSeconds }: MappingRequest): Promise<Mapping> {
    const options = { public: wantedExternalPort, private: internalPort, ttl: lifetimeSeconds, protocol };
    await promisify((callback: Done<unknown>) => this.#client.portMapping(options, callback))();
    const externalAddress = await promisify((callback: Done<string>) => this.#client.externalIp(callback))();
    const internalAddress = await localAddressTowards(this.address, SSDP_GROUP.port);
    const outside = { externalAddress: String(externalAddress), externalPort: wantedExternalPort };
    return { protocol, internalPort, internalAddress, ...outside, lifetimeSeconds };
  }

  async unmap({ protocol, internalPort }: InnerPort): Promise<void> {
    const options = { public: internalPort, protocol };
    await promisify((callback: Done<unknown>) => this.#client.portUnmapping(options, callback))();
  }

  async isKept(mapping: Mapping): Promise<boolean> {
    const list = promisify((callback: Done<readonly { public: { port: number }; local: boolean }[]>) =>
      this.#client.getMappings(callback),
    );
    return ((await list()) ?? []).some((entry) => entry.local && entry.public.port === mapping.externalPort);
  }
}
