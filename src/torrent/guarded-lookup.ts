import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import { AppError } from '../base/errors.ts';
import type { AddressPolicy } from './internet-address.ts';

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

export const systemResolve: Resolve = (host) =>
  new Promise((resolve, reject) => {
    lookup(host, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)));
  });

/** Where a host that a stranger named may be called. Fails with `not-allowed` when nowhere. */
export async function allowedAddresses(
  host: string,
  deps: { readonly policy: AddressPolicy; readonly resolve: Resolve },
): Promise<LookupAddress[]> {
  const plain = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(plain);
  const all = family === 0 ? await resolved(plain, deps.resolve) : [{ address: plain, family }];
  const allowed = all.filter(({ address }) => deps.policy(address));
  if (allowed.length === 0) throw new AppError('not-allowed', 'the host lies in no place that may be called');
  return allowed;
}

/** A connection is made to one of these and to nothing else, whatever the name says a moment later. */
export function lookupOf(addresses: readonly LookupAddress[]): LookupFunction {
  const [first = { address: '', family: 0 }] = addresses;
  return (_host, options, done) => {
    if (options.all === true) done(null, [...addresses]);
    else done(null, first.address, first.family);
  };
}

async function resolved(host: string, resolve: Resolve): Promise<readonly LookupAddress[]> {
  try {
    return await resolve(host);
  } catch (cause) {
    throw new AppError('disconnected', 'the name of the host is not known', {}, cause);
  }
}
