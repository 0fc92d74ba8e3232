import { createRequire } from 'node:module';
import type { Gateway, InnerPort, Mapping, MappingRequest } from '../../../src/nat/gateway.ts';
import { localAddressTowards } from '../../../src/nat/ask-udp.ts';
import { PCP_PORT } from '../../../src/nat/pcp.ts';

/** As far as it is used here. */
interface Client {
  on(event: 'error', listener: (error: Error) => void): void;
  externalIp(callback: (error: Error | null, info?: { ip: readonly number[] }) => void): void;
  portMapping(
    options: { private: number; public: number; type: string; ttl: number },
    callback: (error: Error | null, info?: { public: number; ttl: number }) => void,
  ): void;
}
interface NatPmp {
  connect(gateway: string): Client;
}

/** nat-pmp 1.0.0 behind our interface. It neither looks for a router itself nor checks a mapping. */
export function findNatPmp(address: string): Promise<Gateway> {
  const client = (createRequire(import.meta.url)('nat-pmp') as NatPmp).connect(address);
  return new Promise((resolve, reject) => {
    client.on('error', reject);
    client.externalIp((error) => (error === null ? resolve(new NatPmpPeer(client, address)) : reject(error)));
  });
}

class NatPmpPeer implements Gateway {
  readonly kind = 'nat-pmp';
  readonly address: string;
  readonly #client: Client;

  constructor(client: Client, address: string) {
    this.#client = client;
    this.address = address;
  }

  async map({ protocol, internalPort, wantedExternalPort, lifetimeSeconds }: MappingRequest): Promise<Mapping> {
    const granted = await this.#map({ protocol, internalPort }, wantedExternalPort, lifetimeSeconds);
    const ip = await new Promise<readonly number[]>((resolve, reject) => {
      this.#client.externalIp((error, info) => (error === null ? resolve(info?.ip ?? []) : reject(error)));
    });
    const internalAddress = await localAddressTowards(this.address, PCP_PORT);
    const outside = { externalAddress: ip.join('.'), externalPort: granted.public };
    return { protocol, internalPort, internalAddress, ...outside, lifetimeSeconds: granted.ttl };
  }

  async unmap(port: InnerPort): Promise<void> {
    await this.#map(port, 0, 0);
  }

  isKept(): Promise<boolean> {
    return Promise.reject(new Error('nat-pmp cannot tell'));
  }

  #map({ protocol, internalPort }: InnerPort, wanted: number, ttl: number): Promise<{ public: number; ttl: number }> {
    return new Promise((resolve, reject) => {
      this.#client.portMapping({ private: internalPort, public: wanted, type: protocol, ttl }, (error, info) => {
        if (error === null && info !== undefined) resolve(info);
        else reject(error ?? new Error('no answer'));
      });
    });
  }
}
