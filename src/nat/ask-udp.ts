import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';

/** RFC 6886 §3.1: 250 ms, doubled at each repetition; a router in the house answers within four seconds or not at all. */
const WAITS_MS = [250, 500, 1_000, 2_000];

export interface UdpQuestion<T> {
  readonly address: string;
  readonly port: number;
  /** The address of this machine to ask from; the system's choice when left out. */
  readonly from?: string;
  /** The packet to send; told the local address it leaves from. */
  readonly packet: (localAddress: string) => Uint8Array;
  /** undefined = no answer to this question, wait for another; throwing ends the wait. */
  readonly read: (packet: Uint8Array) => T | undefined;
}

export interface UdpAnswer<T> {
  readonly answer: T;
  readonly localAddress: string;
}

/** Asks over a fresh connected socket, so that only the asked address and port can answer. */
export async function askUdp<T>(question: UdpQuestion<T>, clock: Clock, signal: AbortSignal): Promise<UdpAnswer<T>> {
  signal.throwIfAborted();
  const socket = createSocket(isIPv6(question.address) ? 'udp6' : 'udp4');
  const done = new AbortController();
  try {
    if (question.from !== undefined) await bind(socket, question.from);
    await connect(socket, question.address, question.port);
    const localAddress = socket.address().address;
    const sending = AbortSignal.any([signal, done.signal]);
    const answer = await Promise.race([
      read(socket, question.read),
      send(socket, question.packet(localAddress), clock, sending),
    ]);
    return { answer, localAddress };
  } finally {
    done.abort();
    socket.close();
  }
}

/** The address this machine uses towards another one; sends nothing. */
export async function localAddressTowards(address: string, port: number): Promise<string> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    await connect(socket, address, port);
    return socket.address().address;
  } finally {
    socket.close();
  }
}

function bind(socket: Socket, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(noRouter(error)));
    socket.bind(0, address, resolve);
  });
}

function connect(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(noRouter(error)));
    // With a callback the failure would go to it instead.
    socket.once('connect', resolve);
    socket.connect(port, address);
  });
}

function read<T>(socket: Socket, accept: (packet: Uint8Array) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    // ECONNREFUSED: the router has nothing on this port, known at once.
    socket.on('error', (error) => reject(noRouter(error)));
    socket.on('message', (packet) => {
      try {
        const answer = accept(packet);
        if (answer !== undefined) resolve(answer);
      } catch (error) {
        reject(error);
      }
    });
  });
}

async function send(socket: Socket, packet: Uint8Array, clock: Clock, signal: AbortSignal): Promise<never> {
  for (const wait of WAITS_MS) {
    await new Promise<void>((resolve, reject) => {
      socket.send(packet, (error) => (error === null ? resolve() : reject(noRouter(error))));
    });
    await clock.sleep(wait, signal);
  }
  throw new AppError('timed-out', 'the router does not answer');
}

function noRouter(cause: Error): AppError {
  return new AppError('not-found', 'no router answers there', {}, cause);
}
