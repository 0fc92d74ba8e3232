// XEP-0030: Service Discovery, version 2.5rc3
import { attr, child, children, type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';

export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info';
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';
const MAX_ENTRIES = 1000;

export interface DiscoIdentity {
  readonly category: string;
  readonly type: string;
  readonly name?: string;
}

export interface DiscoInfo {
  readonly identities: readonly DiscoIdentity[];
  readonly features: readonly string[];
}

export function readDiscoInfo(answer: Element): DiscoInfo {
  const query = child(answer, 'query', NS_DISCO_INFO);
  const identities = children(query, 'identity').slice(0, MAX_ENTRIES);
  const features = children(query, 'feature').slice(0, MAX_ENTRIES);
  return {
    identities: identities.map((identity) => {
      const name = attr(identity, 'name');
      const base = { category: attr(identity, 'category') ?? '', type: attr(identity, 'type') ?? '' };
      return name === undefined ? base : { ...base, name };
    }),
    features: features.map((feature) => attr(feature, 'var') ?? '').filter((feature) => feature !== ''),
  };
}

/** The addresses that an entity lists. */
export function readDiscoItems(answer: Element): readonly string[] {
  const items = children(child(answer, 'query', NS_DISCO_ITEMS), 'item').slice(0, MAX_ENTRIES);
  return items.map((item) => attr(item, 'jid') ?? '').filter((jid) => jid !== '');
}

export function discoInfo(info: DiscoInfo, node?: string): Element {
  return xml(
    'query',
    { xmlns: NS_DISCO_INFO, node },
    ...info.identities.map((identity) => xml('identity', { ...identity })),
    ...info.features.map((feature) => xml('feature', { var: feature })),
  );
}

export async function askDiscoInfo(client: XmppPort, address: string, signal?: AbortSignal): Promise<DiscoInfo> {
  return readDiscoInfo(await client.iq('get', address, xml('query', { xmlns: NS_DISCO_INFO }), signal));
}

export async function askDiscoItems(
  client: XmppPort,
  address: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  return readDiscoItems(await client.iq('get', address, xml('query', { xmlns: NS_DISCO_ITEMS }), signal));
}
