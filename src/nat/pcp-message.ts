// RFC 6887: Port Control Protocol (PCP)
import { concatBytes } from '../base/bytes.ts';
import type { InnerPort, TransportProtocol } from './gateway.ts';
import { addressBytes, addressText } from '../base/ip-address.ts';

const VERSION = 2;
const ANNOUNCE = 0;
const MAP = 1;
const RESPONSE = 0x80;
const HEADER_BYTES = 24;
const MAP_BYTES = 60;
/** §7: no message is longer. */
const MOST_BYTES = 1_100;
export const NONCE_BYTES = 12;
const PROTOCOL_NUMBER: Readonly<Record<TransportProtocol, number>> = { tcp: 6, udp: 17 };

export interface PcpMapRequest extends InnerPort {
  readonly clientAddress: string;
  readonly lifetimeSeconds: number;
  readonly nonce: Uint8Array;
  /** 0 = any. */
  readonly externalPort: number;
}

interface PcpHeader {
  /** 0 = success, §7.4. */
  readonly result: number;
  readonly lifetimeSeconds: number;
  readonly epochSeconds: number;
}

export type PcpAnswer =
  | { readonly kind: 'other-version'; readonly version: number }
  | ({ readonly kind: 'announce' } & PcpHeader)
  | ({
      readonly kind: 'map';
      readonly nonce: Uint8Array;
      readonly protocolNumber: number;
      readonly internalPort: number;
      readonly externalPort: number;
      readonly externalAddress: string;
    } & PcpHeader);

/** §14.1: asks for nothing but a sign of life. */
export function encodeAnnounce(clientAddress: string): Uint8Array {
  return header(ANNOUNCE, 0, clientAddress);
}

/** §11.1: opens or renews a mapping; a lifetime of 0 removes it. */
export function encodeMap(request: PcpMapRequest): Uint8Array {
  const body = new Uint8Array(MAP_BYTES - HEADER_BYTES);
  const view = new DataView(body.buffer);
  body.set(request.nonce, 0);
  view.setUint8(12, PROTOCOL_NUMBER[request.protocol]);
  view.setUint16(16, request.internalPort);
  view.setUint16(18, request.externalPort);
  // §11.1: all zeros of the same family leaves the outside address to the router.
  body.set(bytesOf(request.clientAddress.includes(':') ? '::' : '0.0.0.0'), 20);
  return concatBytes(header(MAP, request.lifetimeSeconds, request.clientAddress), body);
}

/** undefined for everything that is no answer. */
export function decodePcp(packet: Uint8Array): PcpAnswer | undefined {
  if (packet.length < 4 || packet.length > MOST_BYTES) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const version = view.getUint8(0);
  const operation = view.getUint8(1);
  if (operation < RESPONSE) return undefined;
  // §9: an older router answers in its own version, NAT-PMP being 0.
  if (version !== VERSION) return { kind: 'other-version', version };
  if (packet.length < HEADER_BYTES || packet.length % 4 !== 0) return undefined;
  const common = { result: view.getUint8(3), lifetimeSeconds: view.getUint32(4), epochSeconds: view.getUint32(8) };
  if (operation === RESPONSE + ANNOUNCE) return { kind: 'announce', ...common };
  if (operation !== RESPONSE + MAP || packet.length < MAP_BYTES) return undefined;
  return {
    kind: 'map',
    ...common,
    nonce: packet.slice(24, 36),
    protocolNumber: view.getUint8(36),
    internalPort: view.getUint16(40),
    externalPort: view.getUint16(42),
    externalAddress: addressText(packet.subarray(44, 60)),
  };
}

/** Whether a `map` answer belongs to this port. */
export function isAbout(answer: PcpAnswer & { kind: 'map' }, port: InnerPort): boolean {
  return answer.internalPort === port.internalPort && answer.protocolNumber === PROTOCOL_NUMBER[port.protocol];
}

function header(operation: number, lifetimeSeconds: number, clientAddress: string): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, operation);
  view.setUint32(4, lifetimeSeconds);
  bytes.set(bytesOf(clientAddress), 8);
  return bytes;
}

function bytesOf(address: string): Uint8Array {
  return addressBytes(address) ?? new Uint8Array(16);
}
