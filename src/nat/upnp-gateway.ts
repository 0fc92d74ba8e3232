// UPnP InternetGatewayDevice:1 and :2, services WANIPConnection:1, WANIPConnection:2 and WANPPPConnection:1
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Gateway, InnerPort, Mapping, MappingRequest } from './gateway.ts';
import { portKey, refusalCode } from './gateway.ts';
import type { WanService } from './igd-description.ts';
import type { SoapAnswer } from './soap.ts';
import { callAction } from './soap.ts';

const DESCRIPTION = 'Spherecast';
const MOST_ATTEMPTS = 6;
// WANIPConnection:2 §2.5, error codes.
const ACTION_FAILED = 501;
const NO_SUCH_ENTRY = 714;
const CONFLICT = 718;
const SAME_PORTS_REQUIRED = 724;
const ONLY_PERMANENT_LEASES = 725;
const CONFLICT_WITH_OTHERS = 729;

export interface UpnpGatewayDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly service: WanService;
}

interface Attempt {
  readonly externalPort: number;
  /** 0 = permanent. */
  readonly lifetimeSeconds: number;
  /** Let the router choose a free port, which version 2 can. */
  readonly anyPort: boolean;
}

/** One connection service of a UPnP router. */
export class UpnpGateway implements Gateway {
  readonly kind = 'upnp';
  readonly #deps: UpnpGatewayDeps;
  /** The outside port last asked for, by inner port. */
  readonly #asked = new Map<string, number>();

  constructor(deps: UpnpGatewayDeps) {
    this.#deps = deps;
  }

  get address(): string {
    return this.#deps.service.controlUrl.hostname;
  }

  /** The router's outside address (empty or zero when its line is down), and ours in the home network. */
  async outside(signal: AbortSignal): Promise<{ externalAddress: string; localAddress: string }> {
    const answer = await this.#call('GetExternalIPAddress', {}, signal);
    return { externalAddress: answer.get('NewExternalIPAddress'), localAddress: answer.localAddress };
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<Mapping> {
    const { protocol, internalPort, wantedExternalPort, lifetimeSeconds } = request;
    const { externalAddress, localAddress } = await this.outside(signal);
    let attempt: Attempt = { externalPort: wantedExternalPort, lifetimeSeconds, anyPort: false };
    for (let count = 1; ; count += 1) {
      try {
        const externalPort = await this.#add(request, attempt, localAddress, signal);
        const lease = attempt.lifetimeSeconds === 0 ? null : attempt.lifetimeSeconds;
        const inner = { protocol, internalPort, internalAddress: localAddress };
        return { ...inner, externalAddress, externalPort, lifetimeSeconds: lease };
      } catch (error) {
        const next = this.#nextAttempt(attempt, internalPort, refusalCode(error));
        if (next === undefined || count === MOST_ATTEMPTS) throw error;
        attempt = next;
      }
    }
  }

  async unmap(port: InnerPort, signal: AbortSignal): Promise<void> {
    const externalPort = this.#asked.get(portKey(port));
    if (externalPort === undefined) return;
    const entry = await this.#entry(port, externalPort, signal);
    // Many routers let anyone remove what belongs to another machine.
    if (entry === 'none' || (entry !== 'unknown' && !isOurs(entry, port, entry.localAddress))) return;
    const input = { NewRemoteHost: '', NewExternalPort: externalPort, NewProtocol: port.protocol.toUpperCase() };
    await this.#call('DeletePortMapping', input, signal);
    this.#asked.delete(portKey(port));
  }

  async isKept(mapping: Mapping, signal: AbortSignal): Promise<boolean> {
    const { externalAddress, localAddress } = await this.outside(signal);
    if (externalAddress !== mapping.externalAddress || localAddress !== mapping.internalAddress) return false;
    const entry = await this.#entry(mapping, mapping.externalPort, signal);
    return entry === 'unknown' || (entry !== 'none' && isOurs(entry, mapping, localAddress));
  }

  /** The outside port granted. */
  async #add(port: InnerPort, attempt: Attempt, localAddress: string, signal: AbortSignal): Promise<number> {
    this.#asked.set(portKey(port), attempt.externalPort);
    const input = {
      NewRemoteHost: '',
      NewExternalPort: attempt.externalPort,
      NewProtocol: port.protocol.toUpperCase(),
      NewInternalPort: port.internalPort,
      NewInternalClient: localAddress,
      NewEnabled: 1,
      NewPortMappingDescription: DESCRIPTION,
      NewLeaseDuration: attempt.lifetimeSeconds,
    };
    if (!attempt.anyPort) {
      await this.#call('AddPortMapping', input, signal);
      return attempt.externalPort;
    }
    const answer = await this.#call('AddAnyPortMapping', input, signal);
    const granted = Number(answer.get('NewReservedPort'));
    if (!Number.isInteger(granted) || granted < 1 || granted > 65_535) {
      throw new AppError('bad-input', 'the router grants no port');
    }
    this.#asked.set(portKey(port), granted);
    return granted;
  }

  #nextAttempt(attempt: Attempt, internalPort: number, code: number): Attempt | undefined {
    switch (code) {
      case ONLY_PERMANENT_LEASES:
        return attempt.lifetimeSeconds === 0 ? undefined : { ...attempt, lifetimeSeconds: 0 };
      case SAME_PORTS_REQUIRED:
        return attempt.externalPort === internalPort
          ? undefined
          : { ...attempt, anyPort: false, externalPort: internalPort };
      case CONFLICT:
      case CONFLICT_WITH_OTHERS:
      // Some routers say no more than this when another machine has the port.
      case ACTION_FAILED:
        if (this.#deps.service.version === 2 && !attempt.anyPort) return { ...attempt, anyPort: true };
        return { ...attempt, anyPort: false, externalPort: this.#randomPort() };
      default:
        return undefined;
    }
  }

  /** Who holds an outside port; `unknown` when the router does not tell. */
  async #entry(port: InnerPort, externalPort: number, signal: AbortSignal): Promise<SoapAnswer | 'none' | 'unknown'> {
    const input = { NewRemoteHost: '', NewExternalPort: externalPort, NewProtocol: port.protocol.toUpperCase() };
    try {
      return await this.#call('GetSpecificPortMappingEntry', input, signal);
    } catch (error) {
      const code = refusalCode(error);
      if (code === 0) throw error;
      return code === NO_SUCH_ENTRY ? 'none' : 'unknown';
    }
  }

  #call(action: string, input: Readonly<Record<string, string | number>>, signal: AbortSignal): Promise<SoapAnswer> {
    const { clock, service } = this.#deps;
    return callAction({ service, action, input }, clock, signal);
  }

  #randomPort(): number {
    const bytes = this.#deps.random(2);
    return 1_024 + (new DataView(bytes.buffer).getUint16(0) % (65_536 - 1_024));
  }
}

function isOurs(entry: SoapAnswer, port: InnerPort, localAddress: string): boolean {
  return entry.get('NewInternalClient') === localAddress && entry.get('NewInternalPort') === String(port.internalPort);
}
