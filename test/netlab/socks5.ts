// RFC 1928: SOCKS5, as XEP-0065: SOCKS5 Bytestreams, version 1.8.2 uses it
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';

interface StreamHost {
  readonly host: string;
  readonly port: number;
}

const CONNECT_MS = 4_000;
const NO_AUTHENTICATION = Buffer.from([5, 1, 0]);
const CONNECT = [5, 1, 0, 3];

/** A connection to a proxy that has taken the name of a bytestream as the place to connect to. */
export async function connectSocks5({ host, port }: StreamHost, destination: string): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  const signal = AbortSignal.timeout(CONNECT_MS);
  try {
    await once(socket, 'connect', { signal });
    socket.write(NO_AUTHENTICATION);
    const method = await read(socket, 2, signal);
    if (!method.equals(Buffer.from([5, 0]))) throw new Error(`the proxy wants ${method.toString('hex')}`);
    const name = Buffer.from(destination);
    // §6.3.2: the name is the domain to connect to, the port is 0.
    socket.write(Buffer.concat([Buffer.from([...CONNECT, name.length]), name, Buffer.alloc(2)]));
    const answer = await read(socket, 7 + name.length, signal);
    if (answer[1] !== 0) throw new Error(`the proxy refuses: ${answer.toString('hex')}`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function read(socket: Socket, length: number, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(length) as Buffer | null;
    if (bytes !== null) return bytes;
    await once(socket, 'readable', { signal });
  }
}
