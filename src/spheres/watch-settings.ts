import { realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import * as z from 'zod';
import type { SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { spheresOfFolder } from './folder-spheres.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface WatchSettingsDeps {
  readonly storage: Pick<Storage, 'settings'>;
  readonly list: Pick<SphereList, 'all'>;
}

/** Of a folder, whichever of its spheres it is kept for. `left`: names in it that are not shared by themselves. */
const watchSchema = z.object({ on: z.boolean(), left: z.array(z.string()) });
export type Watch = z.infer<typeof watchSchema>;

/** What is remembered of watched folders: whether they are, and what in them stays unshared. */
export class WatchSettings {
  readonly #deps: WatchSettingsDeps;

  constructor(deps: WatchSettingsDeps) {
    this.#deps = deps;
  }

  /** undefined while nothing was decided about the folder. */
  get(sphere: Sphere): Watch | undefined {
    const stored = this.sharing(sphere).flatMap((id) => this.#stored(id) ?? []);
    if (stored.length === 0) return undefined;
    // What was said of this sphere counts; one that is new takes over what was said of those before it.
    const on = this.#stored(sphere.id)?.on ?? stored.every((watch) => watch.on);
    // What was left in one sphere is not shared by another that has the folder, nor what is put there while it is off.
    return { on, left: [...new Set(stored.flatMap(({ left }) => left))] };
  }

  set(sphere: Sphere, watch: Watch): void {
    for (const id of this.sharing(sphere)) this.#deps.storage.settings.set(settingOf(id), watch);
  }

  /** What lies at this path is the person's own from now on: it is shared when they say so, and not by itself. */
  leave(sphere: Sphere, path: string): void {
    const watch = this.get(sphere);
    if (watch === undefined || !isFolder(sphere.row.folder, dirname(path))) return;
    this.set(sphere, { ...watch, left: [...new Set([...watch.left, basename(path)])] });
  }

  /** The spheres that have the folder. */
  sharing(sphere: Sphere): SphereId[] {
    return spheresOfFolder(this.#deps.list.all(), sphere).map(({ id }) => id);
  }

  #stored(sphereId: SphereId): Watch | undefined {
    return this.#deps.storage.settings.get(settingOf(sphereId), (value) => watchSchema.parse(value));
  }
}

/** What was received lies under the real path of a folder that may be reached by a link. */
function isFolder(folder: string, path: string): boolean {
  if (folder === path) return true;
  try {
    return realpathSync(folder) === path;
  } catch {
    // It is away, and its files with it.
    return false;
  }
}

const settingOf = (sphereId: SphereId): string => `folder-watch ${sphereId}`;
