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
    const known = list.all();
    const { startsWithLast } = list;
    const ask = asksWho && !startsWithLast && known.filter(({ isListed }) => isListed).length > 1;
    return { profiles: known.map((profile) => this.#view(profile)), ask, startsWithLast };
  }

  async add(name: string): Promise<{ profile: ProfileView }> {
    return { profile: this.#view(await this.#deps.list.add(name)) };
  }

  /** The address that opens the person's page once; null when it is ours, or the shell has to open a window for it. */
  async open(id: string, signal: AbortSignal): Promise<{ url: string | null }> {
    const { list, current, start, clock } = this.#deps;
    const { folder } = list.get(id);
    await list.noteUsed(id);
    if (folder === current) return { url: null };
    const profile = locateProfile(folder);
    if (readEngineFile(profile) === undefined) {
      if (start === undefined) return { url: null };
      start(folder);
    }
    return await withinTime({ clock, ms: START_MS }, signal, async (limited) => {
      for (;;) {
        const engine = readEngineFile(profile);
        if (engine !== undefined) return { url: await addressForOnce(engine, limited) };
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
