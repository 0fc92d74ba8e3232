import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { SerialQueue } from '../base/queue.ts';
import { DHT_ENTRANCES, dhtEntrancesSchema } from '../contract/finding.ts';
import { iceServerSchema } from '../contract/swarm.ts';
import { quietSchema } from '../contract/settings.ts';
import { limitsSchema } from '../contract/views.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { diskError } from './disk-error.ts';
import { lockHolder } from './profile-lock.ts';

/** Where one installation keeps everything. All paths are absolute. */
export interface Profile {
  readonly folder: string;
  readonly accountsFolder: string;
  readonly logsFolder: string;
  /** Where sphere folders are made. */
  readonly spheresFolder: string;
  /** Playlists for other players; what a former run left leads nowhere. */
  readonly playlistsFolder: string;
  readonly lockFile: string;
  readonly engineFile: string;
  readonly configFile: string;
}

const engineFileSchema = z.object({
  pid: z.number().int().positive(),
  startedAt: z.number().int(),
  url: z.string(),
  token: z.string(),
});
/** How to reach the running engine; `startedAt` is in milliseconds since the epoch. */
export type EngineFile = z.infer<typeof engineFileSchema>;

const configSchema = z.object({
  /** The port of the last run, tried first so that an open page finds a restarted engine. */
  port: z.number().int().min(0).max(65_535).default(0),
  swarm: z
    .object({
      /** Addresses to listen on for other members; empty = all. */
      addresses: z.array(z.string()).default([]),
      /** The port to ask for, 0 = any. */
      dataPort: z.number().int().min(0).max(65_535).default(0),
      /** Ask the router to forward the port. */
      mapPorts: z.boolean().default(true),
      /** Find and be found by members in the own network. */
      discoverLan: z.boolean().default(true),
      /** Keep a tracker for members, and announce to theirs. */
      tracker: z.boolean().default(true),
      /** Look for strangers who share public torrents in the DHT, and tell it about us. */
      dht: z.boolean().default(false),
      /** Whom the DHT is entered by. */
      dhtNodes: dhtEntrancesSchema.default(DHT_ENTRANCES),
      /** Tell strangers who share a public torrent about each other, and listen to them. */
      pex: z.boolean().default(true),
      /** Networks in which this computer does not show itself, by router and range. */
      publicNetworks: z.array(z.string().max(100)).max(100).default([]),
      /** Also listened on when the system allows it, for members that only some ports are open to. */
      extraPorts: z.array(z.number().int().min(1).max(65_535)).max(4).default([]),
      /** STUN and TURN servers beside those of the XMPP server. */
      iceServers: z.array(iceServerSchema).max(8).default([]),
    })
    .prefault({}),
  /** Where sphere folders are made, when it is not the usual place; absolute. */
  spheresFolder: z.string().refine(path.isAbsolute).optional().catch(undefined),
  /** Fetch every item of every sphere, as a computer does that is left on for the others. */
  keepEverything: z.boolean().default(false),
  /** Whether others see when the person writes. */
  tellTyping: z.boolean().default(true),
  /** Bytes per second over all spheres, 0 = no limit. */
  limits: limitsSchema.prefault({ up: 0, down: 0 }),
  /** Slower limits, by hand or by the hour. */
  quiet: quietSchema.prefault({
    on: false,
    limits: { up: 500_000, down: 1_000_000 },
    schedule: { on: false, days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 8 * 60, toMinute: 22 * 60 },
  }),
});
export type ProfileConfig = z.infer<typeof configSchema>;

/** The paths of a profile; without `folder` those of the platform's data folder. Touches nothing. */
export function locateProfile(folder?: string, home: string = homedir()): Profile {
  const usual = path.join(dataFolder(home), dataFolderName());
  const own = folder === undefined ? usual : path.resolve(folder);
  return {
    folder: own,
    accountsFolder: path.join(own, 'accounts'),
    logsFolder: path.join(own, 'logs'),
    spheresFolder: own === usual ? path.join(home, 'Spherecast') : path.join(own, 'spheres'),
    playlistsFolder: path.join(own, 'playlists'),
    lockFile: path.join(own, 'lock'),
    engineFile: path.join(own, 'engine.json'),
    configFile: path.join(own, 'config.json'),
  };
}

/** Where the profiles of further people lie: beside the usual one. */
export const peopleFolder = (usual: string): string => `${usual}-people`;

/** With the places that its person, or whoever made it, has chosen. */
export function withChosenPlaces(profile: Profile): Profile {
  return { ...profile, spheresFolder: readConfig(profile).spheresFolder ?? profile.spheresFolder };
}

function dataFolder(home: string): string {
  if (process.platform === 'darwin') return path.join(home, 'Library', 'Application Support');
  if (process.platform === 'win32') return absolute(process.env['LOCALAPPDATA']) ?? path.join(home, 'AppData', 'Local');
  return absolute(process.env['XDG_DATA_HOME']) ?? path.join(home, '.local', 'share');
}

function dataFolderName(): string {
  return process.platform === 'linux' ? 'spherecast' : 'Spherecast';
}

/** The XDG base directory specification ignores relative values. */
function absolute(value: string | undefined): string | undefined {
  return value !== undefined && path.isAbsolute(value) ? value : undefined;
}

/** Makes the folders, readable by their owner only. */
export function createProfileFolders(profile: Profile): void {
  try {
    for (const folder of [profile.folder, profile.accountsFolder, profile.logsFolder]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
    }
  } catch (error) {
    throw diskError('the profile folder cannot be made', error);
  }
}

export async function writeEngineFile(profile: Profile, content: EngineFile): Promise<void> {
  await writeFileAtomically(profile.engineFile, JSON.stringify(content));
}

export function removeEngineFile(profile: Profile): void {
  rmSync(profile.engineFile, { force: true });
}

/** How to reach the engine that runs for this profile; undefined when none does, whatever files lie about. */
export function readEngineFile(profile: Profile): EngineFile | undefined {
  const holder = lockHolder(profile.lockFile);
  if (holder === undefined) return undefined;
  const parsed = engineFileSchema.safeParse(readJson(profile.engineFile));
  return parsed.success && parsed.data.pid === holder.pid ? parsed.data : undefined;
}

/** The settings of this installation; a damaged file counts as absent, nothing in it is worth a refusal to start. */
export function readConfig(profile: Profile): ProfileConfig {
  const parsed = configSchema.safeParse(readJson(profile.configFile) ?? {});
  return parsed.success ? parsed.data : configSchema.parse({});
}

/** By file: of two changes at once neither may take the other back. */
const changing = new Map<string, SerialQueue>();

/** Keeps the fields this version does not know. */
export function changeConfig(profile: Profile, change: (config: ProfileConfig) => ProfileConfig): Promise<void> {
  const { configFile } = profile;
  const queue = changing.get(configFile) ?? new SerialQueue();
  changing.set(configFile, queue);
  return queue.run(async () => {
    const known = z.record(z.string(), z.unknown()).safeParse(readJson(configFile));
    const merged = { ...(known.success ? known.data : {}), ...change(readConfig(profile)) };
    await writeFileAtomically(configFile, `${JSON.stringify(merged, null, 2)}\n`);
  });
}

export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Missing or damaged: the callers treat both as absent.
    return undefined;
  }
}
