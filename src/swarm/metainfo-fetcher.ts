import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { withinTime } from '../base/within-time.ts';
import type { AdmittingSphere } from '../torrent/admission.ts';
import type { Callee } from '../torrent/call-list.ts';
import { receiveMetainfo } from '../torrent/metainfo-exchange.ts';
import type { Caller } from './caller.ts';
import { firstOf } from './first-of.ts';
import type { SoughtMetainfos } from './sought-metainfos.ts';

const TIMEOUT_MS = 30_000;
/** A way that answers nobody must not keep the one that works waiting. */
const CONCURRENT = 16;
/** Whoever can be called has answered by then; else those who have it are asked to call. */
const HEAD_START_MS = 300;
/** So long somebody who cannot be called has to hear of it and to call. */
const BROUGHT_MS = 12_000;

type Metainfo = Uint8Array<ArrayBuffer>;

export interface FetchOptions {
  readonly sphere: AdmittingSphere;
  readonly infoHash: InfoHash;
  readonly sha256: Uint8Array;
  readonly maxBytes: number;
  /** Members who told where they are. */
  readonly told: ReadonlyMap<DeviceKey, readonly Callee[]>;
  /** Whoever else may have it. */
  readonly strangers: Iterable<Callee>;
}

export interface FetchDeps {
  readonly caller: Caller;
  readonly sought: SoughtMetainfos;
  /** Asks all members who have it to call. */
  readonly askToCall: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Asks members for a metainfo, and soon asks them to bring it, because some cannot be called.
 * Fails with `not-found` when none of them gives it.
 */
export async function fetchMetainfo(options: FetchOptions, deps: FetchDeps, signal: AbortSignal): Promise<Metainfo> {
  const { sphere, told } = options;
  const done = new AbortController();
  const limited = AbortSignal.any([signal, done.signal]);
  using search = deps.sought.seek({ ...options, sphereId: sphere.sphereId });
  const met = new Set<DeviceKey>();
  const devices = Array.from(told.keys()).filter((device) => sphere.isListed(device));
  try {
    if (devices.length > 0) void askLater(deps, limited);
    const brought = within(search.brought, deps.clock, limited);
    const metainfo =
      (await Promise.race([search.brought, askAll(options, met, deps, limited)])) ??
      // Whoever was met and did not give it will not bring it either.
      (devices.every((device) => met.has(device)) ? undefined : await brought);
    if (metainfo === undefined) throw new AppError('not-found', 'no member gives the metainfo', { asked: met.size });
    return metainfo;
  } finally {
    done.abort();
  }
}

async function askLater({ clock, askToCall }: FetchDeps, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(HEAD_START_MS, signal);
    askToCall();
  } catch {
    // It was found before, or nobody wants it any more.
  }
}

/** Undefined when nobody brought it in time; never fails. */
async function within(brought: Promise<Metainfo>, clock: Clock, signal: AbortSignal): Promise<Metainfo | undefined> {
  try {
    const limit = { clock, ms: BROUGHT_MS };
    return await withinTime(limit, signal, (limited) => Promise.race([brought, untilAborted(limited)]));
  } catch {
    // Nobody came, or nobody waits any more, which whoever asks all others is told too.
    return undefined;
  }
}

async function askAll(
  options: FetchOptions,
  met: Set<DeviceKey>,
  deps: FetchDeps,
  signal: AbortSignal,
): Promise<Metainfo | undefined> {
  const callees = [...Array.from(options.told.values()).flat(), ...options.strangers];
  const listed = callees.filter(({ device }) => device === null || options.sphere.isListed(device));
  return await firstOf(listed, CONCURRENT, (callee, limited) => askOne(callee, options, met, deps, limited), signal);
}

async function askOne(
  callee: Callee,
  { sphere, infoHash, sha256, maxBytes }: FetchOptions,
  met: Set<DeviceKey>,
  { caller, clock, log }: FetchDeps,
  signal: AbortSignal,
): Promise<Metainfo | undefined> {
  const outcome = await caller.callInAnyEpoch({ callee, sphere, infoHash, purpose: 'metainfo' }, signal);
  if (outcome.kind !== 'connected') return undefined;
  const { stream, admitted } = outcome.dialled;
  met.add(admitted.device);
  try {
    const limit = { clock, ms: TIMEOUT_MS };
    return await withinTime(limit, signal, (limited) => receiveMetainfo(stream, { sha256, maxBytes }, limited));
  } catch (error) {
    signal.throwIfAborted();
    // One member that cannot help leaves the others to ask.
    log.debug('member has no metainfo', { code: errorCode(error) });
    return undefined;
  } finally {
    stream.destroy();
  }
}
