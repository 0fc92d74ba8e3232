// BEP 5: DHT protocol (2020): nearness is the exclusive or of two ids
import type { Endpoint } from '../endpoint.ts';
import { formatEndpoint } from '../endpoint.ts';
import type { DhtContact } from './krpc.ts';

/** So many nearest nodes must have answered before a search ends. */
const NEAREST = 8;
/** Farther ones are forgotten: whoever names thousands fills no memory. */
const MOST = 64;

interface Listed {
  readonly contact: DhtContact;
  readonly distance: Uint8Array;
  state: 'new' | 'asked' | 'answered' | 'failed';
  token: Uint8Array | null;
}

/** Nodes of one search, the nearest to its target first. One address is one node, however many ids it gives itself. */
export class Shortlist {
  readonly #target: Uint8Array;
  readonly #hosts = new Set<string>();
  #listed: Listed[] = [];

  constructor(target: Uint8Array) {
    this.#target = target;
  }

  /** So few are left to ask that somebody else must be asked for more. */
  get isPoor(): boolean {
    return this.#listed.filter(({ state }) => state !== 'failed').length < NEAREST;
  }

  add(contact: DhtContact): void {
    const key = hostKey(contact);
    if (this.#hosts.has(key)) return;
    this.#hosts.add(key);
    this.#insert({ contact, distance: distance(contact.id, this.#target), state: 'new', token: null });
  }

  /** The nearest that was not asked, as long as it is among the nearest that may still answer. */
  next(): DhtContact | undefined {
    const best = this.#listed.filter(({ state }) => state !== 'failed').slice(0, NEAREST);
    const listed = best.find(({ state }) => state === 'new');
    if (listed === undefined) return undefined;
    listed.state = 'asked';
    return listed.contact;
  }

  /** With the id it says it has, which need not be the one that others gave it. */
  answered(contact: DhtContact, token: Uint8Array | null): void {
    this.#listed = this.#listed.filter((listed) => !isAt(listed, contact));
    this.#hosts.add(hostKey(contact));
    this.#insert({ contact, distance: distance(contact.id, this.#target), state: 'answered', token });
  }

  failed(contact: Endpoint): void {
    const listed = this.#listed.find((one) => isAt(one, contact));
    if (listed !== undefined) listed.state = 'failed';
  }

  /** Those that answered and take announces. */
  nearest(most: number): { readonly contact: DhtContact; readonly token: Uint8Array }[] {
    return this.#listed
      .flatMap(({ contact, state, token }) => (state === 'answered' && token !== null ? [{ contact, token }] : []))
      .slice(0, most);
  }

  #insert(listed: Listed): void {
    this.#listed.push(listed);
    this.#listed.sort((a, b) => Buffer.compare(a.distance, b.distance));
    const dropped = this.#listed.splice(MOST);
    for (const { contact } of dropped) this.#hosts.delete(hostKey(contact));
  }
}

const isAt = ({ contact }: Listed, { host, port }: Endpoint): boolean => contact.host === host && contact.port === port;

/** On one's own computer, which only tests may call, several nodes share an address. */
const hostKey = ({ host, port }: Endpoint): string => (host.startsWith('127.') ? formatEndpoint(host, port) : host);

function distance(id: Uint8Array, target: Uint8Array): Uint8Array {
  return Uint8Array.from(target, (byte, index) => byte ^ (id[index] ?? 0));
}
