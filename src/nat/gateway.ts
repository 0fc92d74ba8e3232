import { AppError } from '../base/errors.ts';

export type GatewayKind = 'pcp' | 'nat-pmp' | 'upnp';
export type TransportProtocol = 'tcp' | 'udp';

/** A port of this machine. */
export interface InnerPort {
  readonly protocol: TransportProtocol;
  readonly internalPort: number;
}

/** One spelling per port, for tables. */
export function portKey(port: InnerPort): string {
  return `${port.protocol}:${port.internalPort}`;
}

export interface MappingRequest extends InnerPort {
  /** The router may grant another one. */
  readonly wantedExternalPort: number;
  readonly lifetimeSeconds: number;
}

/** What a router really granted. */
export interface Mapping extends InnerPort {
  /** This machine's address in the home network, to which the router forwards. */
  readonly internalAddress: string;
  readonly externalAddress: string;
  readonly externalPort: number;
  /** null = the router knows no lease: the mapping stays until it is removed. */
  readonly lifetimeSeconds: number | null;
}

/** A home router that answered in one of the protocols. */
export interface Gateway {
  readonly kind: GatewayKind;
  /** Of the router. */
  readonly address: string;
  /** Opens or renews; fails with `not-allowed` when the router refuses and `timed-out` when it is silent. */
  map(request: MappingRequest, signal: AbortSignal): Promise<Mapping>;
  /** Closes what this object opened, also when the answer to the request was never seen. */
  unmap(port: InnerPort, signal: AbortSignal): Promise<void>;
  /** false = the router restarted, lost the mapping or changed its address: map again. Fails when it is silent. */
  isKept(mapping: Mapping, signal: AbortSignal): Promise<boolean>;
  /** The router's outside address, in protocols that tell it without a mapping: 0.0.0.0 or nothing when it has none. */
  outside?(signal: AbortSignal): Promise<{ readonly externalAddress: string }>;
}

/** Looks for a router in one protocol; fails with `not-found` or `timed-out` when none answers. */
export type FindGateway = (signal: AbortSignal) => Promise<Gateway>;

/** Whom to ask at this moment; fails with `not-found` when this machine has no router. */
export type FindGateways = (signal: AbortSignal) => Promise<readonly FindGateway[]>;

/** How a router says no, with the code of its protocol. */
export function refusal(kind: GatewayKind, result: number): AppError {
  return new AppError('not-allowed', 'the router refuses', { kind, result });
}

/** The protocol's code of a refusal, 0 for every other failure. */
export function refusalCode(error: unknown): number {
  const result = error instanceof AppError && error.code === 'not-allowed' ? error.details['result'] : undefined;
  return typeof result === 'number' ? result : 0;
}
