// RFC 6886: NAT Port Mapping Protocol (NAT-PMP)
import type { InnerPort, TransportProtocol } from './gateway.ts';

const EXTERNAL_ADDRESS = 0;
const RESPONSE = 128;
const OPERATION: Readonly<Record<TransportProtocol, number>> = { udp: 1, tcp: 2 };
const SHORTEST_BYTES = 8;

export type NatPmpAnswer =
  | {
      readonly kind: 'address';
      readonly result: number;
      readonly epochSeconds: number;
      /** null when the result is not 0. */
      readonly externalAddress: string | null;
    }
  | {
      readonly kind: 'map';
      readonly result: number;
      readonly epochSeconds: number;
      readonly protocol: TransportProtocol;
      /** null in a refusal that is too short to name it. */
      readonly internalPort: number | null;
      readonly externalPort: number;
      readonly lifetimeSeconds: number;
    };

/** §3.2 */
export function encodeAddressRequest(): Uint8Array {
  return Uint8Array.of(0, EXTERNAL_ADDRESS);
}

/** §3.3; a lifetime of 0 removes the mapping (§3.4) and wants an external port of 0. */
export function encodeMapRequest(port: InnerPort, externalPort: number, lifetimeSeconds: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, OPERATION[port.protocol]);
  view.setUint16(4, port.internalPort);
  view.setUint16(6, externalPort);
  view.setUint32(8, lifetimeSeconds);
  return bytes;
}

/** undefined for everything that is no answer. */
export function decodeNatPmp(packet: Uint8Array): NatPmpAnswer | undefined {
  if (packet.length < SHORTEST_BYTES) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if (view.getUint8(0) !== 0) return undefined;
  const operation = view.getUint8(1) - RESPONSE;
  const common = { result: view.getUint16(2), epochSeconds: view.getUint32(4) };
  if (operation === EXTERNAL_ADDRESS) {
    if (common.result !== 0) return { kind: 'address', ...common, externalAddress: null };
    if (packet.length < 12) return undefined;
    return { kind: 'address', ...common, externalAddress: [...packet.subarray(8, 12)].join('.') };
  }
  const protocol = operation === OPERATION.udp ? 'udp' : operation === OPERATION.tcp ? 'tcp' : undefined;
  if (protocol === undefined) return undefined;
  if (packet.length >= 16) {
    const internalPort = view.getUint16(8);
    return {
      kind: 'map',
      ...common,
      protocol,
      internalPort,
      externalPort: view.getUint16(10),
      lifetimeSeconds: view.getUint32(12),
    };
  }
  if (common.result === 0) return undefined;
  return { kind: 'map', ...common, protocol, internalPort: null, externalPort: 0, lifetimeSeconds: 0 };
}
