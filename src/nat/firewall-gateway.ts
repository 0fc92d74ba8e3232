// UPnP InternetGatewayDevice:2, service WANIPv6FirewallControl:1
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Gateway, InnerPort, Mapping, MappingRequest, TransportProtocol } from './gateway.ts';
import { portKey, refusal, refusalCode } from './gateway.ts';
import type { WanService } from './igd-description.ts';
import type { SoapAnswer } from './soap.ts';
import { callAction } from './soap.ts';

/** §2.5: error codes. */
const PINHOLE_NOT_ALLOWED = 703;
const NO_SUCH_ENTRY = 704;
const PROTOCOL_NUMBER: Readonly<Record<TransportProtocol, number>> = { tcp: 6, udp: 17 };
/** §2.3.5: the identifier is a 16-bit number. */
const IDENTIFIER = /^\d{1,5}$/;

export interface FirewallDeps {
  readonly clock: Clock;
  /** The IPv6 address to open pinholes for: a router opens them for whoever asks only. */
  readonly from: string;
  readonly service: WanService;
}

/** The IPv6 firewall of a UPnP router: nothing is translated, the address and port outside are our own. */
export class FirewallGateway implements Gateway {
  readonly kind = 'upnp';
  readonly #deps: FirewallDeps;
  /** The router's name for each pinhole of ours, by port. */
  readonly #pinholes = new Map<string, string>();

  constructor(deps: FirewallDeps) {
    this.#deps = deps;
  }

  get address(): string {
    return this.#deps.service.controlUrl.hostname;
  }

  /** Fails with `not-allowed` when the router's owner wants no pinholes. */
  async requireWilling(signal: AbortSignal): Promise<void> {
    const status = await this.#call('GetFirewallStatus', {}, signal);
    if (/^(0|false|no)$/i.test(status.get('InboundPinholeAllowed'))) throw refusal(this.kind, PINHOLE_NOT_ALLOWED);
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Mapping> {
    const { protocol, internalPort, lifetimeSeconds } = request;
    if (!(await this.#renew(request, lifetimeSeconds, signal))) await this.#add(request, lifetimeSeconds, signal);
    const { from } = this.#deps;
    const inner = { protocol, internalPort, internalAddress: from };
    return { ...inner, externalAddress: from, externalPort: internalPort, lifetimeSeconds };
  }

  async unmap(port: InnerPort, signal: AbortSignal): Promise<void> {
    const id = this.#pinholes.get(portKey(port));
    if (id === undefined) return;
    this.#pinholes.delete(portKey(port));
    await this.#call('DeletePinhole', { UniqueID: id }, signal);
  }

  async isKept(mapping: Mapping, signal: AbortSignal): Promise<boolean> {
    const id = this.#pinholes.get(portKey(mapping));
    if (id === undefined) return false;
    try {
      await this.#call('GetPinholePackets', { UniqueID: id }, signal);
      return true;
    } catch (error) {
      const code = refusalCode(error);
      if (code === 0) throw error;
      // Every other refusal says nothing about the pinhole.
      return code !== NO_SUCH_ENTRY;
    }
  }

  async #add(port: InnerPort, lifetimeSeconds: number, signal: AbortSignal): Promise<void> {
    const input = {
      RemoteHost: '',
      RemotePort: 0,
      InternalClient: this.#deps.from,
      InternalPort: port.internalPort,
      Protocol: PROTOCOL_NUMBER[port.protocol],
      LeaseTime: lifetimeSeconds,
    };
    const id = (await this.#call('AddPinhole', input, signal)).get('UniqueID');
    if (!IDENTIFIER.test(id)) throw new AppError('bad-input', 'the router names no pinhole');
    this.#pinholes.set(portKey(port), id);
  }

  /** false = there is none of ours any more. */
  async #renew(port: InnerPort, lifetimeSeconds: number, signal: AbortSignal): Promise<boolean> {
    const id = this.#pinholes.get(portKey(port));
    if (id === undefined) return false;
    try {
      await this.#call('UpdatePinhole', { UniqueID: id, NewLeaseTime: lifetimeSeconds }, signal);
      return true;
    } catch (error) {
      if (refusalCode(error) === 0) throw error;
      // Most likely forgotten; when not, the router knows by itself that it has the pinhole already.
      this.#pinholes.delete(portKey(port));
      return false;
    }
  }

  #call(action: string, input: Readonly<Record<string, string | number>>, signal: AbortSignal): Promise<SoapAnswer> {
    const { clock, service, from } = this.#deps;
    return callAction({ service, action, input, from }, clock, signal);
  }
}
