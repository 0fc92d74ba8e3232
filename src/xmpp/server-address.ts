// RFC 6120: XMPP Core, §3.2
// XEP-0368: SRV records for XMPP over TLS, version 1.1.0
import { Resolver } from 'node:dns/promises';
import { domainToASCII } from 'node:url';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { withDeadline } from './deadline.ts';

/** One place where the domain's server may answer. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly directTls: boolean;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Rejects, as node:dns does, when there is no such record. */
export type SrvResolver = (name: string) => Promise<readonly SrvRecord[]>;

const LOOKUP_MS = 5000;
/** Asked twice within the time: the first question may have gone into a network that was away. */
const QUESTION = { timeout: 2000, tries: 2 };
const MAX_ADDRESSES = 8;

interface LookUpDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly resolver?: SrvResolver | undefined;
}

/** The addresses to try for a domain, in order; the domain itself on port 5222 when it has no records. */
export async function findServerAddresses(
  domain: string,
  deps: LookUpDeps & { readonly random: RandomBytes },
  signal: AbortSignal,
): Promise<readonly ServerAddress[]> {
  const addresses = orderRecords(await findServerRecords(domain, deps, signal), deps.random)
    .slice(0, MAX_ADDRESSES)
    .map(({ name, port, directTls }) => ({ host: name.replace(/\.$/, ''), port, directTls }));
  // RFC 6120 §3.2.2
  return addresses.length > 0 ? addresses : [{ host: domain, port: 5222, directTls: false }];
}

/** What a domain says of where its server answers, in no order. */
export async function findServerRecords(
  domain: string,
  deps: LookUpDeps,
  signal: AbortSignal,
): Promise<readonly ServerRecord[]> {
  const resolver: SrvResolver = deps.resolver ?? ((name) => new Resolver(QUESTION).resolveSrv(name));
  const ascii = domainToASCII(domain) || domain;
  const lookUp = async (service: string, directTls: boolean): Promise<ServerRecord[]> => {
    try {
      const records = await withDeadline(deps.clock, LOOKUP_MS, signal, () => resolver(`_${service}._tcp.${ascii}`));
      return records.map((record) => ({ ...record, directTls }));
    } catch (error) {
      signal.throwIfAborted();
      // No record and no answer mean the same: the domain itself is tried.
      deps.log.debug('no server record', { service, error });
      return [];
    }
  };
  const records = (await Promise.all([lookUp('xmpps-client', true), lookUp('xmpp-client', false)])).flat();
  return records.filter(({ name, port }) => name !== '' && name !== '.' && port > 0 && port < 65_536);
}

export interface ServerRecord extends SrvRecord {
  readonly directTls: boolean;
}

/** Lowest priority number first, within it at random by weight; XEP-0368 §2 mixes both kinds. */
function orderRecords(records: readonly ServerRecord[], random: RandomBytes): ServerRecord[] {
  const keyed = records.map((record) => ({
    record,
    key: randomFraction(random) ** (1 / Math.max(record.weight, 0.01)),
  }));
  return keyed.toSorted((a, b) => a.record.priority - b.record.priority || b.key - a.key).map(({ record }) => record);
}
