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

/** What became different in spheres with what was gathered: told at once for all of it, when the database has it. */
export class GatheredChanges {
  readonly #deps: GatheredChangesDeps;
  readonly #untold = new Map<Sphere, SphereChange[]>();
  readonly #gathered: Gathered = { kept: () => this.#tell(), lost: () => this.#forget() };

  constructor(deps: GatheredChangesDeps) {
    this.#deps = deps;
  }

  gather<T>(work: () => T): T {
    return this.#deps.storage.gather(work, this.#gathered);
  }

  /** What was just gathered has changed this. */
  add(sphere: Sphere, changes: readonly SphereChange[]): void {
    this.#untold.set(sphere, [...(this.#untold.get(sphere) ?? []), ...changes]);
    // Who is a member, and which keys there are, has to be known before the next message is read.
    if (!changes.every(({ kind }) => kind === 'message')) this.#deps.storage.keep();
  }

  #tell(): void {
    const { onChanges } = this.#deps;
    this.#forEach((sphere, changes) => onChanges(sphere, changes));
  }

  #forget(): void {
    this.#forEach((sphere) => sphere.reload());
  }

  /** Nobody waits for it who could hear that it failed. */
  #forEach(work: (sphere: Sphere, changes: readonly SphereChange[]) => void): void {
    const untold = [...this.#untold];
    this.#untold.clear();
    for (const [sphere, changes] of untold) {
      try {
        work(sphere, changes);
      } catch (error) {
        this.#deps.log.error('what follows from messages failed', { error });
      }
    }
  }
}
