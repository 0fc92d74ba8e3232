import * as z from 'zod';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { withinTime } from '../base/within-time.ts';
import type { ProfileView } from '../contract/profiles.ts';
import type { EngineFile } from './profile.ts';
import { locateProfile, readEngineFile } from './profile.ts';
import type { KnownProfile, ProfileList } from './profile-list.ts';

interface ProfileCallsDeps {
  readonly list: ProfileList;
  /** The folder of the profile that this engine runs for. */
  readonly current: string;
  /** Nobody said for whom the application is started. */
  readonly asksWho: boolean;
  /** Starts an engine for the profile in this folder that outlives this one; absent where the desktop shell does that. */
  readonly start?: ((folder: string) => void) | undefined;
  readonly clock: Clock;
}

/** A database that is brought up to date takes a while. */
const START_MS = 60_000;
const LOOK_MS = 150;
const ticketSchema = z.object({ url: z.string() });

/** Who uses Spherecast on this computer, and the way to the engine of another person. */
export class ProfileCalls {
  readonly #deps: ProfileCallsDeps;

  constructor(deps: ProfileCallsDeps) {
    this.#deps = deps;
  }

  get list(): ProfileList {
    return this.#deps.list;
  }

  all(): { profiles: ProfileView[]; ask: boolean; startsWithLast: boolean } {
    const { list, asksWho } = this.#deps;
    const { startsWithLast, isChoice } = list;
    return { profiles: list.all().map((profile) => this.#view(profile)), ask: asksWho && isChoice, startsWithLast };
  }

  async add(name: string): Promise<{ profile: ProfileView }> {
    return { profile: this.#view(await this.#deps.list.add(name)) };
  }

  /** The address that opens the person's page once; null when it is ours, or the shell has to open a window for it. */
  async open(id: string, signal: AbortSignal): Promise<{ url: string | null }> {
    const { list, current, start } = this.#deps;
    const { folder } = list.get(id);
    const isOurs = folder === current;
    const isThere = isOurs || readEngineFile(locateProfile(folder)) !== undefined;
    if (!isThere) start?.(folder);
    const url = isOurs || (!isThere && start === undefined) ? null : await this.#address(folder, signal);
    // Not before: with somebody whose engine does not start, nobody could begin the next time.
    await list.noteUsed(id);
    return { url };
  }

  /** As soon as the engine is there. */
  #address(folder: string, signal: AbortSignal): Promise<string> {
    const { clock } = this.#deps;
    const profile = locateProfile(folder);
    return withinTime({ clock, ms: START_MS }, signal, async (limited) => {
      for (;;) {
        const engine = readEngineFile(profile);
        if (engine !== undefined) return await addressForOnce(engine, limited);
        await clock.sleep(LOOK_MS, limited);
      }
    });
  }

  #view({ id, name, account, folder, isListed, isRunning }: KnownProfile): ProfileView {
    return { id, name, account, isListed, isRunning, isCurrent: folder === this.#deps.current };
  }
}

/** Of another engine of this login, whose token only this login can read. */
export async function addressForOnce({ url, token }: EngineFile, signal: AbortSignal): Promise<string> {
  try {
    const answer = await fetch(`${url}/ticket`, { headers: { authorization: `Bearer ${token}` }, signal });
    return ticketSchema.parse(await answer.json()).url;
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError('disconnected', 'the engine of that person does not answer', {}, error);
  }
}
