// RFC 6886: NAT Port Mapping Protocol (NAT-PMP)
import type { Clock } from '../base/clock.ts';
import { askUdp } from './ask-udp.ts';
import { Epoch } from './epoch.ts';
import type { Gateway, InnerPort, Mapping, MappingRequest } from './gateway.ts';
import { refusal } from './gateway.ts';
import type { NatPmpAnswer } from './nat-pmp-message.ts';
import { decodeNatPmp, encodeAddressRequest, encodeMapRequest } from './nat-pmp-message.ts';

export interface NatPmpDeps {
  readonly clock: Clock;
  readonly address: string;
  readonly port: number;
}

/** Resolves when the router at the address speaks NAT-PMP and has an outside address. */
export async function findNatPmp(deps: NatPmpDeps, signal: AbortSignal): Promise<Gateway> {
  const gateway = new NatPmpGateway(deps);
  await gateway.outside(signal);
  return gateway;
}

class NatPmpGateway implements Gateway {
  readonly kind = 'nat-pmp';
  readonly #deps: NatPmpDeps;
  readonly #epoch = new Epoch();

  constructor(deps: NatPmpDeps) {
    this.#deps = deps;
  }

  get address(): string {
    return this.#deps.address;
  }

  /** The router's outside address, and ours in the home network. */
  async outside(signal: AbortSignal): Promise<{ externalAddress: string; localAddress: string }> {
    const { answer, localAddress } = await this.#ask(
      encodeAddressRequest(),
      (told) => (told.kind === 'address' ? told : undefined),
      signal,
    );
    return { externalAddress: answer.externalAddress ?? '0.0.0.0', localAddress };
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Mapping> {
    const { protocol, internalPort, wantedExternalPort, lifetimeSeconds } = request;
    const answer = await this.#map(request, wantedExternalPort, lifetimeSeconds, signal);
    if (answer.externalPort === 0 || answer.lifetimeSeconds === 0) throw refusal(this.kind, answer.result);
    this.#epoch.mark(request);
    const { externalAddress, localAddress } = await this.outside(signal);
    return {
      protocol,
      internalPort,
      internalAddress: localAddress,
      externalAddress,
      externalPort: answer.externalPort,
      lifetimeSeconds: answer.lifetimeSeconds,
    };
  }

  async unmap(port: InnerPort, signal: AbortSignal): Promise<void> {
    await this.#map(port, 0, 0, signal);
    this.#epoch.forget(port);
  }

  async isKept(mapping: Mapping, signal: AbortSignal): Promise<boolean> {
    const { externalAddress, localAddress } = await this.outside(signal);
    return (
      externalAddress === mapping.externalAddress &&
      localAddress === mapping.internalAddress &&
      this.#epoch.covers(mapping)
    );
  }

  async #map(port: InnerPort, externalPort: number, lifetimeSeconds: number, signal: AbortSignal) {
    const { answer } = await this.#ask(
      encodeMapRequest(port, externalPort, lifetimeSeconds),
      (told) => {
        if (told.kind !== 'map' || told.protocol !== port.protocol) return undefined;
        return told.internalPort === null || told.internalPort === port.internalPort ? told : undefined;
      },
      signal,
    );
    return answer;
  }

  async #ask<T extends NatPmpAnswer>(
    packet: Uint8Array,
    accept: (answer: NatPmpAnswer) => T | undefined,
    signal: AbortSignal,
  ): Promise<{ answer: T; localAddress: string }> {
    const { clock, address, port } = this.#deps;
    const read = (bytes: Uint8Array): T | undefined => {
      const answer = decodeNatPmp(bytes);
      return answer === undefined ? undefined : accept(answer);
    };
    const told = await askUdp({ address, port, packet: () => packet, read }, clock, signal);
    if (told.answer.result !== 0) throw refusal(this.kind, told.answer.result);
    this.#epoch.observe(told.answer.epochSeconds, clock.monotonic());
    return told;
  }
}
