import { rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { hkdfSync } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { LogEntry, Logger } from '../base/log.ts';
import { createLogger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { systemRandom } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import { systemClock } from '../base/system-clock.ts';
import { MediaServer } from '../player/media-server.ts';
import { createAppRouter } from './app-router.ts';
import type { AppServices } from './app-services.ts';
import { EventLog } from './event-log.ts';
import type { PreviewSource } from './http-server.ts';
import { HttpServer } from './http-server.ts';
import { desktopKeychain } from './keychain.ts';
import { createLogFile } from './log-file.ts';
import type { ProcessLauncher } from './process-launcher.ts';
import { nodeLauncher } from './process-launcher.ts';
import type { Profile, ProfileConfig } from './profile.ts';
import {
  changeConfig,
  createProfileFolders,
  locateProfile,
  readConfig,
  removeEngineFile,
  withChosenPlaces,
  writeEngineFile,
} from './profile.ts';
import { ProfileCalls } from './profile-calls.ts';
import { ProfileList } from './profile-list.ts';
import { lockProfile } from './profile-lock.ts';
import { RpcSocket } from './rpc-socket.ts';
import type { MasterKey, SecretStore } from './secrets.ts';
import { openMasterKey } from './secrets.ts';
import { SessionGuard } from './session.ts';
import { productVersion } from './version.ts';

/** What the product's services get from the engine that hosts them. */
export interface ServicesDeps {
  readonly profile: Profile;
  readonly config: ProfileConfig;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly launcher: ProcessLauncher;
  /** Playback addresses are made here and answered by the engine's port. */
  readonly media: MediaServer;
  /** `http://127.0.0.1:<port>`, for addresses handed to other programs. Known before any call arrives. */
  readonly origin: () => string;
}

export interface RunningServices extends AsyncDisposable {
  readonly services: AppServices;
  readonly previews: PreviewSource;
}

/** Opens databases, connects and starts everything that is not the host's. Must not wait for the network. */
export type CreateServices = (deps: ServicesDeps, signal: AbortSignal) => Promise<RunningServices>;

/** What a computer does for the others that is left on. */
export interface Duties {
  /** Also listened on for other members. */
  readonly extraPorts?: readonly number[];
  /** Fetch every item of every sphere. */
  readonly keepEverything?: boolean;
}

export interface EngineOptions {
  readonly createServices: CreateServices;
  /** The profile's folder; the platform's data folder when absent. */
  readonly profile?: string;
  /** Absent = the port of the last run if it is free, else any. */
  readonly port?: number;
  /** Given by a shell that restarts a crashed engine under the same address. */
  readonly token?: string;
  readonly uiFolder?: string;
  /** For this run, in place of what the profile says. */
  readonly duties?: Duties;
  /** Nobody said for whom the application is started: the page asks. */
  readonly asksWho?: boolean;
  /** Starts an engine for the profile in this folder, which outlives this one. */
  readonly startProfile?: (folder: string) => void;
  readonly launcher?: ProcessLauncher;
  /** Tried before the profile's own file, in this order. */
  readonly secretStores?: readonly SecretStore[];
  /** Gets every log line besides the log file. */
  readonly onLog?: (entry: LogEntry) => void;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
}

/** A running engine; disposing it ends everything in reverse order of its start. */
export interface Engine extends AsyncDisposable {
  readonly version: string;
  readonly pid: number;
  readonly log: Logger;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly token: string;
  /** The address that opens the UI, with its token. */
  readonly url: string;
  /** An address that opens the UI once, soon: for programs that show others what they were started with. */
  urlForOnce(): string;
  /** Resolves once the engine has ended, whoever asked for it. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_UI = fileURLToPath(new URL('../../dist/ui', import.meta.url));

/** Starts the engine of one profile: lock, key, services, server, and last the file that tells where it is. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  await using starting = new AsyncDisposableStack();
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const located = locateProfile(options.profile);
  createProfileFolders(located);
  const profile = withChosenPlaces(located);
  starting.use(lockProfile(profile.lockFile));
  rmSync(profile.playlistsFolder, { recursive: true, force: true });
  const log = createEngineLog(profile, clock, options.onLog);
  const scope = starting.use(new Scope({ log }));
  const masterKey = await openKey(profile, options, { random, clock, log }, scope.signal);

  const media = starting.use(new MediaServer({ clock, random, log: log.child('media-server') }));
  const config = readConfig(profile);
  const launcher = options.launcher ?? nodeLauncher;
  const address = { origin: '' };
  const parts = { profile, config: withDuties(config, options.duties), masterKey, clock, random, log };
  const deps = { ...parts, launcher, media, origin: () => address.origin };
  const running = starting.use(await options.createServices(deps, scope.signal));

  const token = options.token ?? Buffer.from(random(32)).toString('base64url');
  const url = (): string => `${address.origin}/?token=${token}`;
  const stop = new StopSwitch(log);
  const version = productVersion();
  // The answer to the caller leaves first.
  const shutDown = (): void =>
    scope.spawn('shut down', (signal) => clock.sleep(50, signal).then(() => void stop.run()));
  const events = new EventLog({ clock, scope });
  starting.defer(running.services.onEvent.on((event) => events.append(event)));
  const host = { version, pid: process.pid, url, home: homedir(), shutDown };
  const profiles = profilesOf(options, profile, { clock, random });
  const router = createAppRouter({ services: running.services, events, host, profiles, log });
  const session = new SessionGuard({ token, cookieKey: derive(masterKey.key, 'browser-session'), clock, random });
  const server = starting.use(
    new HttpServer({
      session,
      rpc: new RpcSocket({ router, clock, scope, log }),
      media: (rest, request, response) => media.handle(rest, request, response),
      previews: running.previews,
      uiFolder: options.uiFolder ?? DEFAULT_UI,
      log: log.child('http'),
    }),
  );
  await listen(server, options.port, profile, config);
  const { origin } = server;
  address.origin = origin;
  starting.defer(() => removeEngineFile(profile));
  await writeEngineFile(profile, { pid: process.pid, startedAt: clock.now(), url: origin, token });

  stop.take(starting.move());
  log.info('engine started', { version, port: server.port });
  const end = (): Promise<void> => stop.run();
  const urlForOnce = (): string => server.urlForOnce();
  const about = { version, log, pid: process.pid, origin, token, url: url() };
  return { ...about, urlForOnce, stopped: stop.done, stop: end, [Symbol.asyncDispose]: end };
}

/** Who uses this computer beside the person of this profile. */
function profilesOf(
  { asksWho = false, startProfile }: EngineOptions,
  { folder }: Profile,
  { clock, random }: { clock: Clock; random: RandomBytes },
): ProfileCalls {
  const list = new ProfileList({ clock, random });
  return new ProfileCalls({ list, current: folder, asksWho, start: startProfile, clock });
}

function withDuties(config: ProfileConfig, { extraPorts, keepEverything }: Duties = {}): ProfileConfig {
  return {
    ...config,
    keepEverything: keepEverything ?? config.keepEverything,
    swarm: { ...config.swarm, ...(extraPorts === undefined ? {} : { extraPorts: [...extraPorts] }) },
  };
}

/** The profile's key; a file instead of a keychain is said once, when it is made. */
async function openKey(
  { folder }: Profile,
  { secretStores }: EngineOptions,
  deps: { random: RandomBytes; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<MasterKey> {
  const key = await openMasterKey({ ...deps, folder, stores: secretStores ?? [desktopKeychain(folder)] }, signal);
  if (key.isNew && key.keptIn === 'file') {
    deps.log.warn('no keychain answered: whoever can read the profile can read the key that protects it');
  }
  return key;
}

/** Lets many callers ask for the one end. */
class StopSwitch {
  readonly done: Promise<void>;
  readonly #finish: () => void;
  readonly #log: Logger;
  #running: AsyncDisposable | undefined;
  #stopping: Promise<void> | undefined;

  constructor(log: Logger) {
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#finish = resolve;
  }

  take(running: AsyncDisposable): void {
    this.#running = running;
  }

  run(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  async #end(): Promise<void> {
    try {
      await this.#running?.[Symbol.asyncDispose]();
    } catch (error) {
      // The end goes on: whoever waits for it can do nothing about this.
      this.#log.error('engine did not end cleanly', { error });
    }
    this.#finish();
  }
}

/** An asked-for port must be free; the one of the last run is only a wish. */
async function listen(
  server: HttpServer,
  asked: number | undefined,
  profile: Profile,
  config: ProfileConfig,
): Promise<void> {
  const wished = asked ?? config.port;
  try {
    await server.listen(wished);
  } catch (error) {
    if (!(error instanceof AppError) || asked !== undefined || wished === 0) throw error;
    await server.listen(0);
  }
  if (asked === undefined && server.port !== config.port)
    await changeConfig(profile, (now) => ({ ...now, port: server.port }));
}

function createEngineLog(profile: Profile, clock: Clock, onLog: ((entry: LogEntry) => void) | undefined): Logger {
  const toFile = createLogFile(profile.logsFolder);
  const sink = (entry: LogEntry): void => {
    if (entry.level !== 'debug') toFile(entry);
    onLog?.(entry);
  };
  return createLogger({ clock, sink, module: 'engine' });
}

function derive(key: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), `spherecast-${purpose}-v1`, 32));
}
