// BEP 3: tracker protocol
import type { Clock } from '../base/clock.ts';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { ownAddress } from './connect-tcp.ts';
import type { Resolve } from './guarded-lookup.ts';
import { allowedAddresses, lookupOf } from './guarded-lookup.ts';
import type { AddressPolicy } from './internet-address.ts';
import { fetchAnswer, parseAnswer, PEERS_WANTED, percentEncode } from './tracker-answer.ts';
import type { TrackerReply, TrackerReport } from './udp-tracker.ts';
import { askUdpTracker } from './udp-tracker.ts';

export interface PublicTrackerDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly policy: AddressPolicy;
  readonly resolve: Resolve;
  /** Those we listen on; none = all. */
  readonly addresses: readonly string[];
}

/**
 * Announces a public torrent at a tracker that its .torrent file names. Nothing is said to an address that the policy
 * forbids, whatever name stands for it. Fails with `not-allowed`, `disconnected`, `timed-out` or `bad-input`.
 */
export async function askPublicTracker(
  tracker: string,
  report: TrackerReport,
  deps: PublicTrackerDeps,
  signal: AbortSignal,
): Promise<TrackerReply> {
  const url = new URL(tracker);
  const addresses = await allowedAddresses(url.hostname, deps);
  if (url.protocol === 'udp:') {
    const [first] = addresses;
    const port = Number(url.port);
    if (first === undefined || port === 0) throw new AppError('bad-input', 'a tracker without a port');
    return askUdpTracker({ ...first, port }, report, deps, signal);
  }
  const asked = `${tracker}${url.search === '' ? '?' : '&'}${query(report)}`;
  // One family, whose own address it leaves from.
  const family = addresses[0]?.family ?? 0;
  const localAddress = ownAddress(deps.addresses, family);
  const lookup = lookupOf(addresses.filter((one) => one.family === family));
  const options = { agent: false, lookup, ...(localAddress === undefined ? {} : { localAddress }) } as const;
  return parseAnswer(await fetchAnswer(asked, options, signal));
}

function query(report: TrackerReport): string {
  return [
    `info_hash=${percentEncode(toHex(report.infoHash))}`,
    `peer_id=${percentEncode(toHex(report.peerId))}`,
    `port=${report.port}`,
    `uploaded=${report.uploaded}&downloaded=${report.downloaded}&left=${report.left}`,
    `compact=1&numwant=${PEERS_WANTED}`,
    ...(report.event === 'none' ? [] : [`event=${report.event}`]),
  ].join('&');
}
