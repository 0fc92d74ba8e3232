import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SERVER_ADDRESS, SERVER_ADDRESS_2 } from './addresses.ts';

/**
 * `nat-probe.ts serve` answers on the server, `nat-probe.ts ask` writes a line with what a host can do:
 * how many outside ports one inside port has, who may answer to it, and which TCP ports outside it reaches.
 */
const ECHOES = [
  [SERVER_ADDRESS, 7001],
  [SERVER_ADDRESS, 7002],
  [SERVER_ADDRESS_2, 7001],
] as const;
const STRANGERS = [
  ['other-port', SERVER_ADDRESS, 7009],
  ['other-address', SERVER_ADDRESS_2, 7009],
] as const;
const TCP_PORTS = [80, 443, 8080];
const PATIENCE_MS = 700;

async function serve(): Promise<void> {
  const strangers = await Promise.all(STRANGERS.map(([, address, port]) => bound(address, port)));
  for (const [address, port] of ECHOES) {
    const echo = await bound(address, port);
    echo.on('message', (_, from) => {
      echo.send(`seen ${from.address}:${from.port}`, from.port, from.address);
      for (const [index, stranger] of strangers.entries()) {
        stranger.send(`stranger ${STRANGERS[index]?.[0]}`, from.port, from.address);
      }
    });
  }
  for (const port of TCP_PORTS) {
    const server = createServer((socket) => socket.on('error', () => undefined).end());
    await once(server.listen(port, SERVER_ADDRESS), 'listening');
  }
  console.log('ready');
}

async function ask(): Promise<void> {
  const seen = new Set<string>();
  const strangers = new Set<string>();
  const socket = await bound('0.0.0.0', 0);
  socket.on('message', (data) => {
    const [what = '', who = ''] = data.toString().split(' ');
    (what === 'seen' ? seen : strangers).add(who);
  });
  // The first packet opens the way before the strangers of the second one try it.
  for (const [address, port] of ECHOES) {
    socket.send('hello', port, address);
    await delay(30);
  }
  const tcp = await Promise.all(TCP_PORTS.map(async (port) => ((await answers(port)) ? [port] : [])));
  await delay(PATIENCE_MS);
  socket.close();
  console.log(JSON.stringify({ outside: [...seen], strangers: [...strangers].toSorted(), tcp: tcp.flat() }));
}

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: SERVER_ADDRESS, port, timeout: PATIENCE_MS });
    const tell = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.on('connect', () => tell(true));
    socket.on('timeout', () => tell(false));
    socket.on('error', () => tell(false));
  });
}

await (process.argv[2] === 'serve' ? serve() : ask());
