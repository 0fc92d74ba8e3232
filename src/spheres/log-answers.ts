import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { RateLimit } from '../base/rate-limit.ts';
import type { Storage } from '../storage/storage.ts';
import { devicesToEnd } from './devices-to-end.ts';
import type { Speaker } from './ephemeral-channel.ts';
import { historyFor } from './history.ts';
import type { PackExchange } from './history-packs.ts';
import { isBeingWelcomed, isOnItsWay } from './is-on-its-way.ts';
import type { EphemeralBodies } from './protocol/ephemeral.ts';
import { knownDevice } from './recipients.ts';
import { enqueueRelays, relayEntries } from './relay.ts';

interface LogAnswersDeps {
  readonly storage: Storage;
  readonly packs: Pick<PackExchange, 'give'>;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Of each device: whoever chatters does not make us send without end. */
const ANSWERED = { burst: 48, intervalMs: 60_000 };
/** What mail carries at once: a server may let through 10 kB a second. What is more goes as a pack, or is asked for anew. */
export const MAX_MAIL_BYTES = 256 * 1024;

/** Gives devices that ask what they lack of a log. */
export class LogAnswers {
  readonly #deps: LogAnswersDeps;
  readonly #answering: RateLimit;

  constructor(deps: LogAnswersDeps) {
    this.#deps = deps;
    this.#answering = new RateLimit({ ...deps, ...ANSWERED });
  }

  answer({ sphere, device }: Speaker, body: EphemeralBodies['want']): void {
    if (body.to !== sphere.device) return;
    const { storage, packs, queued, clock, log } = this.#deps;
    const known = knownDevice(sphere.state, device);
    const person = sphere.state.devices.get(device)?.person;
    if (known === undefined || person === undefined || devicesToEnd(storage).has(device)) return;
    if (!this.#answering.take(`${sphere.id} ${device}`)) return;
    // What was asked for before has not left yet.
    if (isOnItsWay(storage, sphere, known)) return;
    const events = sphere.log.select(body);
    const history = historyFor(sphere, person);
    const entries = relayEntries(events, MAX_MAIL_BYTES, { sphere, storage, history });
    const isMore = entries.length < events.length;
    if (entries.length === 0 || (isMore && body.packs === true && packs.give({ sphere, device, events }))) return;
    // By mail somebody was given as much when they came.
    if (isBeingWelcomed(storage, sphere, device, clock.now())) return;
    storage.transaction(() => enqueueRelays(sphere, entries, known));
    log.info('log passed on', { sphereId: sphere.id, events: entries.length });
    queued();
  }
}
