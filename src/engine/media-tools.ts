import type { ContractRouterClient } from '@orpc/contract';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import { withinTime } from '../base/within-time.ts';
import type { MediaContract, Portrait, Preview, Probe } from '../contract/media.ts';
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

/** Asks the media process, one file at a time; a file that kills or stalls it is shared all the same, undescribed. */
export function createMediaTools({ process, clock, log }: MediaToolsDeps): MediaTools & PortraitTools {
  const queue = new SerialQueue();

  function ask<T>(
    what: string,
    call: (client: ContractRouterClient<MediaContract>, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | null> {
    return queue.run(async () => {
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
    });
  }

  return {
    async probe(path, signal): Promise<Probe> {
      const probe = await ask('probe', (client, limited) => client.probe({ path }, { signal: limited }), signal);
      return probe ?? byName(path);
    },
    preview(path, signal): Promise<Preview | null> {
      return ask('preview', (client, limited) => client.preview({ path }, { signal: limited }), signal);
    },
    portrait(bytes, signal): Promise<Portrait | null> {
      return ask('portrait', (client, limited) => client.portrait({ bytes }, { signal: limited }), signal);
    },
  };
}

/** All that can be said of a file nobody could open: what its name claims. */
function byName(path: string): Probe {
  const type = typeOfName(path);
  return { kind: kindOfType(type), type, durationMs: null, width: null, height: null, streams: [], indexRanges: [] };
}
