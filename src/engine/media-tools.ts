import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { MediaContract, Preview, Probe } from '../contract/media.ts';
import { kindOfType, PLAIN_BYTES, typeOfName } from '../player/media-type.ts';
import type { MediaTools } from '../spheres/describe-item.ts';
import type { ChildProcess } from './child-process.ts';

interface MediaToolsDeps {
  readonly process: ChildProcess<MediaContract>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A file that takes longer is not worth a picture; the process is replaced, for it may hang for good. */
const TIMEOUT_MS = 25_000;

/** Asks the media process; a file that kills or stalls it is shared all the same, just not described. */
export function createMediaTools({ process, clock, log }: MediaToolsDeps): MediaTools {
  async function ask<T>(
    what: string,
    call: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | null> {
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    const late = clock.sleep(TIMEOUT_MS, stop).then(() => {
      process.restart();
      return null;
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([call(stop), late]);
    } catch (error) {
      signal.throwIfAborted();
      log.info('file not described', { what, error });
      return null;
    } finally {
      over.abort();
    }
  }

  return {
    async probe(path, signal): Promise<Probe> {
      const probe = await ask('probe', (stop) => process.client.probe({ path }, { signal: stop }), signal);
      return probe ?? byName(path);
    },
    async preview(path, signal): Promise<Preview | null> {
      return ask('preview', (stop) => process.client.preview({ path }, { signal: stop }), signal);
    },
  };
}

/** All that can be said of a file nobody could open: what its name claims. */
function byName(path: string): Probe {
  const type = typeOfName(path) ?? PLAIN_BYTES;
  return { kind: kindOfType(type), type, durationMs: null, width: null, height: null, streams: [], indexRanges: [] };
}
