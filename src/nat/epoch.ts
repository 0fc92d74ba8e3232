// RFC 6887: Port Control Protocol, RFC 6886: NAT Port Mapping Protocol
import type { InnerPort } from './gateway.ts';
import { portKey } from './gateway.ts';

/** Notices from the clock in a router's answers that it restarted, and knows which mappings it forgot with that. */
export class Epoch {
  readonly #madeIn = new Map<string, number>();
  #last: { readonly serverSeconds: number; readonly clientSeconds: number } | null = null;
  #number = 0;

  /** Takes in an answer that came at `monotonicMs`. RFC 6887 §8.5, which is stricter than RFC 6886 §3.6. */
  observe(serverSeconds: number, monotonicMs: number): void {
    const clientSeconds = monotonicMs / 1000;
    const last = this.#last;
    this.#last = { serverSeconds, clientSeconds };
    if (last === null) return;
    const server = serverSeconds - last.serverSeconds;
    const client = clientSeconds - last.clientSeconds;
    if (server < -1 || client + 2 < server - server / 16 || server + 2 < client - client / 16) this.#number += 1;
  }

  /** The router confirmed this mapping just now. */
  mark(port: InnerPort): void {
    this.#madeIn.set(portKey(port), this.#number);
  }

  forget(port: InnerPort): void {
    this.#madeIn.delete(portKey(port));
  }

  /** Whether no restart was seen since the mapping was confirmed. */
  covers(port: InnerPort): boolean {
    return this.#madeIn.get(portKey(port)) === this.#number;
  }
}
