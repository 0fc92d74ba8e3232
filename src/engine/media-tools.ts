import type { ContractRouterClient } from '@orpc/contract';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import { withinTime } from '../base/within-time.ts';
import { type MediaContract, type Portrait, type Preview, type Probe, PROBED_TOGETHER } from '../contract/media.ts';
import { kindOfType, typeOfName } from '../player/media-type.ts';
import type { PortraitTools } from '../people/portraits.ts';
import type { MediaTools } from '../spheres/describe-item.ts';
import type { ChildProcess } from './child-process.ts';

interface MediaToolsDeps {
  readonly process: ChildProcess<MediaContract>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The process itself gives up after 20 s; this is for one that cannot even do that. */
const TIMEOUT_MS = 25_000;

type Call<T> = (client: ContractRouterClient<MediaContract>, signal: AbortSignal) => Promise<T>;

interface Waiting extends PromiseWithResolvers<Probe | null> {
  readonly path: string;
  readonly signal: AbortSignal;
}

/** Asks the media process, one question at a time; a file that kills or stalls it is shared all the same, undescribed. */
export function createMediaTools({ process, clock, log }: MediaToolsDeps): MediaTools & PortraitTools {
  const queue = new SerialQueue();
  const unprobed: Waiting[] = [];

  async function ask<T>(what: string, call: Call<T>, signal: AbortSignal): Promise<T | null> {
    signal.throwIfAborted();
    try {
      return await withinTime({ clock, ms: TIMEOUT_MS }, signal, async (limited) =>
        call(await process.ready(limited), limited),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (errorCode(error) === 'timed-out') process.restart();
      log.info('file not described', { what, error });
      return null;
    }
  }

  function probeOne({ path, signal }: Waiting): Promise<Probe | null> {
    return ask('probe', (client, limited) => client.probe({ path }, { signal: limited }), signal);
  }

  async function probeNext(): Promise<void> {
    const { signal } = unprobed[0] ?? {};
    const count = unprobed.findIndex((one, index) => index === PROBED_TOGETHER || one.signal !== signal);
    const together = unprobed.splice(0, count === -1 ? unprobed.length : count);
    if (signal === undefined) return;
    try {
      const paths = together.map(({ path }) => path);
      const isAlone = together.length === 1;
      const all = isAlone
        ? null
        : await ask('probe', (client, limited) => client.probeAll({ paths }, { signal: limited }), signal);
      // One of them may have ended the process: asked for alone, it costs only itself.
      for (const [index, one] of together.entries())
        one.resolve(all === null ? await probeOne(one) : (all[index] ?? null));
    } catch (error) {
      for (const one of together) one.reject(error);
    }
  }

  return {
    async probe(path, signal): Promise<Probe> {
      const waiting: Waiting = { path, signal, ...Promise.withResolvers<Probe | null>() };
      unprobed.push(waiting);
      void queue.run(probeNext);
      return (await waiting.promise) ?? byName(path);
    },
    preview(path, signal): Promise<Preview | null> {
      return queue.run(() =>
        ask('preview', (client, limited) => client.preview({ path }, { signal: limited }), signal),
      );
    },
    portrait(bytes, signal): Promise<Portrait | null> {
      return queue.run(() =>
        ask('portrait', (client, limited) => client.portrait({ bytes }, { signal: limited }), signal),
      );
    },
  };
}

/** All that can be said of a file nobody could open: what its name claims. */
function byName(path: string): Probe {
  const type = typeOfName(path);
  return { kind: kindOfType(type), type, durationMs: null, width: null, height: null, streams: [], indexRanges: [] };
}
