import { isIP } from 'node:net';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const PATTERN = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/;

/** Reads `192.0.2.1:6881` or `[2001:db8::1]:6881`; addresses only, no names. undefined for anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  if (isIP(host) !== (match[1] === undefined ? 4 : 6) || port < 1 || port > 65535) return undefined;
  return { host, port };
}

export function formatEndpoint(host: string, port: number): string {
  const plain = host.replace(/^::ffff:(?=[0-9.]+$)/i, '');
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}
