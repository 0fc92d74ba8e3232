import type { Logger } from '../base/log.ts';
import type { Gathered } from '../storage/database.ts';
import type { Storage } from '../storage/storage.ts';
import type { SphereChange } from './effects.ts';
import type { Sphere } from './sphere.ts';

interface GatheredChangesDeps {
  readonly storage: Pick<Storage, 'gather' | 'keep'>;
  readonly onChanges: (sphere: Sphere, changes: readonly SphereChange[]) => void;
  readonly log: Logger;
}

type Untold = Map<Sphere, SphereChange[]>;

/** What became different in spheres with what was gathered: told at once for all of it, when the database has it. */
export class GatheredChanges {
  readonly #deps: GatheredChangesDeps;
  /** Of the newest gathering. */
  #untold: Untold = new Map();

  constructor(deps: GatheredChangesDeps) {
    this.#deps = deps;
  }

  gather<T>(work: () => T): T {
    return this.#deps.storage.gather(work, this.#begin);
  }

  /** What was just gathered has changed this. */
  add(sphere: Sphere, changes: readonly SphereChange[]): void {
    this.#untold.set(sphere, [...(this.#untold.get(sphere) ?? []), ...changes]);
    // Who is a member, and which keys there are, has to be known before the next message is read.
    if (!changes.every(({ kind }) => kind === 'message')) this.#deps.storage.keep();
  }

  readonly #begin = (): Gathered => {
    const untold: Untold = new Map();
    this.#untold = untold;
    return {
      kept: () => this.#forEach(untold, this.#deps.onChanges),
      lost: () => this.#forEach(untold, (sphere) => sphere.reload()),
    };
  };

  /** Nobody waits for it who could hear that it failed. */
  #forEach(untold: Untold, work: (sphere: Sphere, changes: readonly SphereChange[]) => void): void {
    for (const [sphere, changes] of untold) {
      try {
        work(sphere, changes);
      } catch (error) {
        this.#deps.log.error('what follows from messages failed', { error });
      }
    }
  }
}
