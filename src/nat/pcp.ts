// RFC 6887: Port Control Protocol (PCP)
import { createHmac } from 'node:crypto';
import { equalBytes } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { askUdp } from './ask-udp.ts';
import { Epoch } from './epoch.ts';
import type { Gateway, InnerPort, Mapping, MappingRequest } from './gateway.ts';
import { portKey, refusal, refusalCode } from './gateway.ts';
import type { PcpAnswer } from './pcp-message.ts';
import { decodePcp, encodeAnnounce, encodeMap, isAbout, NONCE_BYTES } from './pcp-message.ts';

/** §19: routers listen here, for NAT-PMP too. */
export const PCP_PORT = 5351;

/** §15: a router need not grant less; 0 would remove the mapping. */
const LEAST_LEASE_SECONDS = 120;

export interface PcpDeps {
  readonly clock: Clock;
  readonly address: string;
  readonly port: number;
  /** The IPv6 address to open pinholes for; the one the system asks the router from when left out. */
  readonly from?: string;
  /** Nonces are made from it: §11.2 wants the same one at every renewal, by whichever object. */
  readonly secret: Uint8Array;
}

type MapAnswer = PcpAnswer & { kind: 'map' };

/** Resolves when the router at the address speaks PCP. */
export async function findPcp(deps: PcpDeps, signal: AbortSignal): Promise<Gateway> {
  const gateway = new PcpGateway(deps);
  await gateway.announce(signal);
  return gateway;
}

class PcpGateway implements Gateway {
  readonly kind = 'pcp';
  readonly #deps: PcpDeps;
  readonly #epoch = new Epoch();

  constructor(deps: PcpDeps) {
    this.#deps = deps;
  }

  get address(): string {
    return this.#deps.address;
  }

  async announce(signal: AbortSignal): Promise<string> {
    const { localAddress } = await this.#ask(
      encodeAnnounce,
      // Also a router that does not know this operation has shown that it speaks PCP, §14.1.
      (answer) => (answer.kind === 'announce' ? answer : undefined),
      signal,
    );
    return localAddress;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Mapping> {
    const { answer, localAddress } = await this.#map(
      request,
      request.wantedExternalPort,
      request.lifetimeSeconds,
      signal,
    );
    if (answer.externalPort === 0 || answer.lifetimeSeconds === 0) throw refusal(this.kind, answer.result);
    this.#epoch.mark(request);
    return {
      protocol: request.protocol,
      internalPort: request.internalPort,
      internalAddress: localAddress,
      externalAddress: answer.externalAddress,
      externalPort: answer.externalPort,
      lifetimeSeconds: answer.lifetimeSeconds,
    };
  }

  async unmap(port: InnerPort, signal: AbortSignal): Promise<void> {
    await this.#map(port, 0, 0, signal);
    this.#epoch.forget(port);
  }

  async isKept(mapping: Mapping, signal: AbortSignal): Promise<boolean> {
    const { localAddress, outside } = await this.#outside(mapping, signal);
    const isSame = outside === null || outside === `${mapping.externalAddress} ${mapping.externalPort}`;
    return isSame && localAddress === mapping.internalAddress && this.#epoch.covers(mapping);
  }

  /** Only a renewal tells a changed outside address (§11.1); null when the router refuses to renew, as some do. */
  async #outside(mapping: Mapping, signal: AbortSignal): Promise<{ localAddress: string; outside: string | null }> {
    try {
      const { answer, localAddress } = await this.#map(
        mapping,
        mapping.externalPort,
        mapping.lifetimeSeconds ?? LEAST_LEASE_SECONDS,
        signal,
      );
      return { localAddress, outside: `${answer.externalAddress} ${answer.externalPort}` };
    } catch (error) {
      if (refusalCode(error) === 0) throw error;
      return { localAddress: await this.announce(signal), outside: null };
    }
  }

  async #map(port: InnerPort, externalPort: number, lifetimeSeconds: number, signal: AbortSignal) {
    const nonce = this.#nonce(port);
    const packet = (clientAddress: string): Uint8Array =>
      encodeMap({ ...port, clientAddress, externalPort, lifetimeSeconds, nonce });
    const ours = (answer: PcpAnswer): MapAnswer | undefined =>
      answer.kind === 'map' && isAbout(answer, port) && equalBytes(answer.nonce, nonce) ? answer : undefined;
    const told = await this.#ask(packet, ours, signal);
    if (told.answer.result !== 0) throw refusal(this.kind, told.answer.result);
    return told;
  }

  async #ask<T extends PcpAnswer & { kind: 'announce' | 'map' }>(
    packet: (clientAddress: string) => Uint8Array,
    accept: (answer: PcpAnswer) => T | undefined,
    signal: AbortSignal,
  ): Promise<{ answer: T; localAddress: string }> {
    const { clock, address, port, from } = this.#deps;
    const read = (bytes: Uint8Array): T | undefined => {
      const answer = decodePcp(bytes);
      if (answer?.kind === 'other-version') throw new AppError('not-found', 'the router speaks no PCP', { ...answer });
      return answer === undefined ? undefined : accept(answer);
    };
    const told = await askUdp({ address, port, packet, read, ...(from === undefined ? {} : { from }) }, clock, signal);
    // §8.5: the clock counts in successful answers only.
    if (told.answer.result === 0) this.#epoch.observe(told.answer.epochSeconds, clock.monotonic());
    return told;
  }

  #nonce(port: InnerPort): Uint8Array {
    // One router that hears a nonce must not be able to forge another's answers with it.
    const name = `${this.#deps.address} ${portKey(port)}`;
    return createHmac('sha256', this.#deps.secret).update(name).digest().subarray(0, NONCE_BYTES);
  }
}
