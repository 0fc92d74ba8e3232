import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { AdmittingSphere } from '../torrent/admission.ts';
import { receiveMetainfo } from '../torrent/metainfo-exchange.ts';
import { withinTime } from '../base/within-time.ts';
import type { Callee } from '../torrent/call-list.ts';
import type { Caller } from './caller.ts';

const TIMEOUT_MS = 30_000;
const CONCURRENT = 4;

export interface FetchOptions {
  readonly sphere: AdmittingSphere;
  readonly infoHash: InfoHash;
  readonly sha256: Uint8Array;
  readonly maxBytes: number;
  /** Whoever may have it; asked in this order. */
  readonly callees: readonly Callee[];
}

/** Asks members, a few at a time, for a metainfo. Fails with `not-found` when none of them gives it. */
export async function fetchMetainfo(
  options: FetchOptions,
  deps: { caller: Caller; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const callees = options.callees.filter(({ device }) => device === null || options.sphere.isListed(device));
  const attempts = callees.flatMap((callee) => options.sphere.admissionKeys.map((_, attempt) => ({ callee, attempt })));
  const found = new AbortController();
  const asking = AbortSignal.any([signal, found.signal]);
  let metainfo: Uint8Array<ArrayBuffer> | undefined;
  const askers = Array.from({ length: CONCURRENT }, async () => {
    for (let next = attempts.shift(); next !== undefined && !asking.aborted; next = attempts.shift()) {
      try {
        metainfo ??= await askOne(next, options, deps, asking);
      } catch (error) {
        // One member that cannot help leaves the others to ask.
        if (!asking.aborted) deps.log.debug('member has no metainfo', { code: errorCode(error) });
      }
      if (metainfo !== undefined) found.abort();
    }
  });
  await Promise.all(askers);
  signal.throwIfAborted();
  if (metainfo === undefined)
    throw new AppError('not-found', 'no member gives the metainfo', { asked: callees.length });
  return metainfo;
}

async function askOne(
  ask: { callee: Callee; attempt: number },
  options: FetchOptions,
  deps: { caller: Caller; clock: Clock },
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const { sphere, infoHash, sha256, maxBytes } = options;
  const outcome = await deps.caller.call({ ...ask, sphere, infoHash, purpose: 'metainfo' }, signal);
  if (outcome.kind !== 'connected') throw new AppError('disconnected', 'member cannot be reached');
  const { stream } = outcome.dialled;
  try {
    const limit = { clock: deps.clock, ms: TIMEOUT_MS };
    return await withinTime(limit, signal, (limited) => receiveMetainfo(stream, { sha256, maxBytes }, limited));
  } finally {
    stream.destroy();
  }
}
