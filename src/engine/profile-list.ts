import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { freeFolder } from '../torrent/free-folder.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { diskError } from './disk-error.ts';
import type { Profile } from './profile.ts';
import {
  changeConfig,
  createProfileFolders,
  locateProfile,
  peopleFolder,
  readEngineFile,
  readJson,
} from './profile.ts';
import { signedInOf } from './signed-in.ts';

/** One person on this computer. */
export interface KnownProfile {
  readonly id: string;
  /** As the person wrote it; empty for the first one until they do. */
  readonly name: string;
  /** The account it is signed in with; null = none. */
  readonly account: string | null;
  readonly folder: string;
  /** false = taken off the list; nothing of it is gone. */
  readonly isListed: boolean;
  readonly isRunning: boolean;
}

interface ProfileListDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The home of whoever is logged in to the computer. */
  readonly home?: string;
}

/** The profile that was there before there were several. */
const FIRST = 'first';
/** The name of a profile's folder. What people write never becomes a part of it. */
const ID = /^(first|[0-9a-f]{16})$/;

const personSchema = z.object({ name: z.string(), addedAtMs: z.number() });
/** What is said of the list. It holds nothing that could be lost: who there is, the folders themselves tell. */
const listSchema = z.object({
  hidden: z.array(z.string()).catch([]),
  lastUsed: z.string().nullable().catch(null),
  startsWithLast: z.boolean().catch(false),
});
type ListFile = z.infer<typeof listSchema>;

/** The people who use Spherecast on this computer under one login of it, each with a folder of their own. */
export class ProfileList {
  readonly #deps: ProfileListDeps;
  readonly #home: string;
  readonly #folder: string;
  readonly #file: string;

  constructor(deps: ProfileListDeps) {
    this.#deps = deps;
    this.#home = deps.home ?? homedir();
    this.#folder = peopleFolder(locateProfile(undefined, this.#home).folder);
    this.#file = path.join(this.#folder, 'people.json');
  }

  /** Whether the application begins with whoever used it last, and asks nobody. */
  get startsWithLast(): boolean {
    return this.#read().startsWithLast;
  }

  /** Whether there is somebody to choose when nobody was named, and nobody said not to ask. */
  get isChoice(): boolean {
    return !this.startsWithLast && this.all().filter(({ isListed }) => isListed).length > 1;
  }

  /** In the order in which they came. */
  all(): KnownProfile[] {
    const { hidden } = this.#read();
    const found = [FIRST, ...this.#ids()].map((id) => ({ id, ...readPerson(this.#profile(id).folder) }));
    return found
      .toSorted((a, b) => a.addedAtMs - b.addedAtMs)
      .map(({ id, name }) => {
        const profile = this.#profile(id);
        const isRunning = readEngineFile(profile) !== undefined;
        const account = signedInOf(profile.accountsFolder) ?? null;
        return { id, name, account, folder: profile.folder, isListed: !hidden.includes(id), isRunning };
      });
  }

  get(id: string): KnownProfile {
    const found = this.all().find((one) => one.id === id);
    if (found === undefined) throw new AppError('not-found', 'nobody of this name uses this computer');
    return found;
  }

  /** By id, name or account; fails with `conflict` when several have the name. */
  find(wanted: string): KnownProfile {
    const all = this.all();
    const byId = all.find(({ id }) => id === wanted);
    if (byId !== undefined) return byId;
    const [found, ...more] = all.filter(({ name, account }) => name === wanted || account === wanted);
    if (more.length > 0) throw new AppError('conflict', 'several people have this name: use the id');
    return found ?? this.get(wanted);
  }

  /** With whom the application begins when nothing is said. */
  get last(): KnownProfile | undefined {
    const { lastUsed } = this.#read();
    const listed = this.all().filter(({ isListed }) => isListed);
    return listed.find(({ id }) => id === lastUsed) ?? listed[0];
  }

  async add(name: string): Promise<KnownProfile> {
    const { clock, random } = this.#deps;
    const id = toHex(random(8));
    const profile = this.#profile(id);
    createProfileFolders(profile);
    await writeFileAtomically(
      personFile(profile.folder),
      JSON.stringify({ name: name.trim(), addedAtMs: clock.now() }),
    );
    const spheresFolder = freeFolder(this.#home, `Spherecast ${name.trim()}`);
    await changeConfig(profile, (config) => ({ ...config, spheresFolder }));
    return this.get(id);
  }

  async rename(id: string, name: string): Promise<void> {
    const { folder } = this.get(id);
    const { addedAtMs } = readPerson(folder);
    createProfileFolders(this.#profile(id));
    await writeFileAtomically(personFile(folder), JSON.stringify({ name: name.trim(), addedAtMs }));
  }

  /** Takes a person off the list, or puts them back. Their folder stays as it is. */
  async setListed(id: string, isListed: boolean): Promise<void> {
    this.get(id);
    await this.#change(({ hidden, ...rest }) => {
      const others = hidden.filter((one) => one !== id);
      return { ...rest, hidden: isListed ? others : [...others, id] };
    });
  }

  async noteUsed(id: string): Promise<void> {
    this.get(id);
    await this.#change((list) => ({ ...list, lastUsed: id, hidden: list.hidden.filter((one) => one !== id) }));
  }

  async setStartsWithLast(startsWithLast: boolean): Promise<void> {
    await this.#change((list) => ({ ...list, startsWithLast }));
  }

  #profile(id: string): Profile {
    if (!ID.test(id)) throw new AppError('not-found', 'this is no id of a person');
    return locateProfile(id === FIRST ? undefined : path.join(this.#folder, id), this.#home);
  }

  #ids(): string[] {
    try {
      return readdirSync(this.#folder).filter((name) => name !== FIRST && ID.test(name));
    } catch {
      // There is no folder as long as there is only one person.
      return [];
    }
  }

  #read(): ListFile {
    const parsed = listSchema.safeParse(readJson(this.#file));
    return parsed.success ? parsed.data : listSchema.parse({});
  }

  async #change(change: (list: ListFile) => ListFile): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw diskError('the folder of the people on this computer cannot be made', error);
    }
    await writeFileAtomically(this.#file, JSON.stringify(change(this.#read())));
  }
}

/** A person whose name cannot be read is there all the same. */
function readPerson(folder: string): z.infer<typeof personSchema> {
  const parsed = personSchema.safeParse(readJson(personFile(folder)));
  return parsed.success ? parsed.data : { name: '', addedAtMs: 0 };
}

const personFile = (folder: string): string => path.join(folder, 'person.json');
