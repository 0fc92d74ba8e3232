import { Agent } from 'node:http';

const MOST_KEPT = 8;
const KEPT_MS = 10_000;

/** One connection to each of those who were asked last, because a new one for each question costs more than the question. */
export class KeptConnections implements Disposable {
  /** By address; who was asked last stands last. */
  readonly #agents = new Map<string, Agent>();

  get size(): number {
    return this.#agents.size;
  }

  /** To be asked through; `isBusy` says whose connection must stay. */
  to(address: string, isBusy: (address: string) => boolean): Agent {
    const agent = this.#agents.get(address) ?? new Agent({ keepAlive: true, maxSockets: 1, timeout: KEPT_MS });
    this.#agents.delete(address);
    this.#agents.set(address, agent);
    for (const [other, kept] of this.#agents) {
      if (this.#agents.size <= MOST_KEPT) break;
      if (other === address || isBusy(other)) continue;
      kept.destroy();
      this.#agents.delete(other);
    }
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}
