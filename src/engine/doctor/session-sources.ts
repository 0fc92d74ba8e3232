import { randomUUID } from 'node:crypto';
import { rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { Emitter } from '../../base/emitter.ts';
import type { Logger } from '../../base/log.ts';
import type { RandomBytes } from '../../base/random.ts';
import { untilAborted } from '../../base/until-aborted.ts';
import type { DeviceFacts, DiskFacts, ServerFacts } from '../../contract/doctor.ts';
import type { NetworkState } from '../../contract/swarm.ts';
import type { AppEvent, ItemState } from '../../contract/views.ts';
import type { Sphere } from '../../spheres/sphere.ts';
import type { SwarmFeed } from '../../spheres/swarm-feed.ts';
import type { AccountHolder } from '../account-holder.ts';
import type { AccountSession } from '../account-session.ts';
import type { ViewSource } from '../view-source.ts';
import { trialNote } from '../trial-note.ts';
import { askServer } from './ask-server.ts';
import type { DoctorSources } from './examination.ts';
import { inTime } from './in-time.ts';

interface SessionSourcesDeps {
  readonly holder: AccountHolder;
  readonly views: ViewSource;
  readonly feed: SwarmFeed;
  readonly mapPorts: boolean;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

const ARRIVING: ReadonlySet<ItemState> = new Set(['queued', 'downloading']);

/** The facts of the running engine. */
export class SessionSources implements DoctorSources {
  readonly onChange: Emitter<void>;
  readonly #deps: SessionSourcesDeps;
  #network: NetworkState | null = null;
  #swarmState = '';

  constructor(deps: SessionSourcesDeps) {
    this.#deps = deps;
    this.onChange = new Emitter((error) => deps.log.error('doctor listener failed', { error }));
    deps.feed.onEvent.on((event) => {
      if (event.kind !== 'network') return;
      this.#network = event.network;
      this.onChange.emit();
    });
    deps.views.onEvent.on((event) => this.#viewChanged(event));
  }

  account(): ReturnType<DoctorSources['account']> {
    const account = this.#deps.views.account();
    return account === null ? null : { ...account, error: account.error?.code ?? null };
  }

  transfers(): ReturnType<DoctorSources['transfers']> {
    const { state, port } = this.#deps.views.swarm();
    return { state, port, asksRouter: this.#deps.mapPorts };
  }

  /** What a process knew that has died or was told to stop is not true any more. */
  network(): NetworkState | null {
    return this.#deps.feed.running && this.#session() !== null ? this.#network : null;
  }

  devices(): DeviceFacts[] {
    const session = this.#session();
    const own = session?.storage.identity.get()?.device;
    return this.#spheres().flatMap((sphere) => {
      const view = this.#deps.views.sphere(sphere);
      const waits = session?.storage.items.list(sphere.id).some(({ state }) => ARRIVING.has(state)) ?? false;
      const joined = view.members.filter(({ state }) => state === 'joined');
      return [...sphere.state.devices.values()].flatMap(({ person, device }) => {
        const member = joined.find((one) => one.person === person);
        if (member === undefined || device === own) return [];
        const { jid, name, online } = member;
        return [{ sphereId: sphere.id, sphere: view.name, jid, name, device, online, waits }];
      });
    });
  }

  async askServer(signal: AbortSignal): Promise<ServerFacts | null> {
    const session = this.#session();
    if (session === null) return null;
    const { clock, random, log } = this.#deps;
    const named = session.storage.account.get()?.server ?? null;
    const note = trialNote(session.storage);
    return await askServer({ client: session.client, named, note, clock, random, log }, signal);
  }

  lookAtDisks(signal: AbortSignal): Promise<DiskFacts[]> {
    return Promise.all(this.#spheres().map((sphere) => this.#lookAtDisk(sphere, signal)));
  }

  /** A disk behind a network that is gone may never answer. */
  async #lookAtDisk({ id, row, state }: Sphere, signal: AbortSignal): Promise<DiskFacts> {
    const { folder } = row;
    const [freeBytes = null, writable = false] =
      (await inTime(this.#deps, signal, (limited) =>
        Promise.race([Promise.all([freeOf(folder), isWritable(folder)]), untilAborted(limited)]),
      )) ?? [];
    return { sphereId: id, sphere: state.name === '' ? row.name : state.name, folder, freeBytes, writable };
  }

  #session(): AccountSession | null {
    return this.#deps.views.account() === null ? null : this.#deps.holder.session;
  }

  #spheres(): Sphere[] {
    return (this.#session()?.list.all() ?? []).filter(({ row }) => row.state === 'joined');
  }

  #viewChanged(event: AppEvent): void {
    if (event.kind === 'swarm') {
      const before = this.#swarmState;
      this.#swarmState = event.swarm.state;
      if (before === event.swarm.state) return;
    } else if (!['account', 'sphere', 'sphere-removed'].includes(event.kind)) return;
    this.onChange.emit();
  }
}

async function freeOf(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    // A folder that is not there has no room; that it cannot be written is told anyway.
    return null;
  }
}

/** Rights, read-only disks and pulled plugs show only when something is really written. */
async function isWritable(folder: string): Promise<boolean> {
  const file = path.join(folder, `.spherecast-check-${randomUUID()}`);
  try {
    await writeFile(file, '.', { flag: 'wx' });
    await rm(file);
    return true;
  } catch {
    // Whatever the reason is, nothing can be received there.
    return false;
  }
}
