// XEP-0115: Entity Capabilities, version 1.6.0
import { createHash } from 'node:crypto';
import { attr, child, type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { type DiscoInfo, discoInfo, NS_DISCO_INFO, readDiscoInfo } from './0030-disco.ts';

export const NS_CAPS = 'http://jabber.org/protocol/caps';
const NODE = 'https://spherecast.org';
const MAX_KNOWN = 500;

/** What a presence says of its sender's abilities. */
export interface CapsTag {
  readonly node: string;
  readonly ver: string;
}

/** The verification string of §5.1: the same abilities give the same text. */
export function capsVersion(info: DiscoInfo): string {
  const identities = info.identities.map(({ category, type, name }) => `${category}/${type}//${name ?? ''}<`);
  const features = info.features.map((feature) => `${feature}<`);
  const text = identities.toSorted(byOctets).join('') + features.toSorted(byOctets).join('');
  return createHash('sha1').update(text, 'utf8').digest('base64');
}

function byOctets(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function capsTag(info: DiscoInfo): Element {
  return xml('c', { xmlns: NS_CAPS, hash: 'sha-1', node: NODE, ver: capsVersion(info) });
}

export function readCapsTag(presence: Element): CapsTag | undefined {
  const tag = child(presence, 'c', NS_CAPS);
  const node = attr(tag, 'node');
  const ver = attr(tag, 'ver');
  if (node === undefined || ver === undefined || attr(tag, 'hash') !== 'sha-1') return undefined;
  return { node, ver };
}

/** Answers questions about our abilities until disposed. `former`: announced before, and may still be asked for by their tag. */
export function answerDisco(client: XmppPort, info: DiscoInfo, former: DiscoInfo = info): Disposable {
  const ofFormer = `${NODE}#${capsVersion(former)}`;
  return client.handleIq('get', NS_DISCO_INFO, 'query', ({ payload }) => {
    const node = attr(payload, 'node');
    return discoInfo(node === ofFormer ? former : info, node);
  });
}

/** Announces us and our abilities (`+notify` features ask for news of PEP nodes); to be repeated in each new session. */
export async function sendPresence(client: XmppPort, info: DiscoInfo): Promise<void> {
  await client.send(xml('presence', {}, capsTag(info)));
}

/** Remembers what abilities a verification string stands for, so that each is asked once. */
export class CapsCache {
  readonly #client: XmppPort;
  readonly #own: DiscoInfo;
  readonly #known = new Map<string, ReadonlySet<string>>();

  /** `own`: most others are of our kind and need not be asked. */
  constructor(deps: { client: XmppPort; own: DiscoInfo }) {
    this.#client = deps.client;
    this.#own = deps.own;
  }

  /** The features of whoever sent the tag from `address`; empty when the answer does not match the tag. */
  async featuresOf(address: string, tag: CapsTag, signal?: AbortSignal): Promise<ReadonlySet<string>> {
    if (tag.ver === capsVersion(this.#own)) return new Set(this.#own.features);
    const known = this.#known.get(tag.ver);
    if (known !== undefined) return known;
    const question = xml('query', { xmlns: NS_DISCO_INFO, node: `${tag.node}#${tag.ver}` });
    const info = readDiscoInfo(await this.#client.iq('get', address, question, signal));
    // §5.4: an answer that does not give the same string would speak for others.
    if (capsVersion(info) !== tag.ver) return new Set();
    const features = new Set(info.features);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(tag.ver, features);
    return features;
  }
}
