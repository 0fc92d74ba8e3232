import { AppError, errorCode } from '../src/base/errors.ts';
import { createServices } from '../src/engine/create-services.ts';
import { locateProfile } from '../src/engine/profile.ts';
import { desktopKeychain } from '../src/engine/keychain.ts';
import { logUncaught } from '../src/engine/log-uncaught.ts';
import type { AppServices } from '../src/engine/app-services.ts';
import type { Engine } from '../src/engine/start-engine.ts';
import { startEngine } from '../src/engine/start-engine.ts';
import type { FromEngine, ParentPort, ToEngine } from './engine-messages.ts';
import { toEngineSchema } from './engine-messages.ts';
import { ShellLauncher } from './shell-launcher.ts';
import { ShellSecrets } from './shell-secrets.ts';

/** The engine as a utility process of the desktop application: told what to do by the main process. */

const LAST_RESORT_MS = 4500;
const parentPort = ownPort();
const post = (message: FromEngine): void => parentPort.postMessage(message);
const launcher = new ShellLauncher({ post });
const secrets = new ShellSecrets({ post });
const ending = new AbortController();
let engine: Engine | undefined;
let system: AppServices['system'] | undefined;

parentPort.on('message', ({ data, ports }) => {
  const message = toEngineSchema.parse(data);
  if (message.kind === 'start') void start(message);
  else if (message.kind === 'stop') void stop();
  else if (message.kind === 'only-copies') void tellOnlyCopies(message.id);
  else if (message.kind === 'sealed') secrets.answered(message.id, message.text);
  else if (message.kind === 'launched') launcher.launched(message.id, message.pid, ports[0]);
  else launcher.exited(message.id, message.code);
});

async function start(options: Extract<ToEngine, { kind: 'start' }>): Promise<void> {
  const profile = options.profile ?? undefined;
  const { folder } = locateProfile(profile);
  try {
    engine = await startEngine({
      createServices: async (deps, signal) => {
        const running = await createServices(deps, signal);
        ({ system } = running.services);
        return running;
      },
      ...(profile === undefined ? {} : { profile }),
      ...(options.port === null ? {} : { port: options.port }),
      ...(options.token === null ? {} : { token: options.token }),
      launcher,
      asksWho: options.asksWho,
      // A profile that was first used without the window keeps its key where it is.
      secretStores: [secrets.storeIn(folder), desktopKeychain(folder)],
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'unknown failure';
    process.stderr.write(`the engine could not start: ${message}\n`);
    post({ kind: 'failed', code: errorCode(error), message });
    return;
  }
  logUncaught(engine.log);
  const { origin, token, url } = engine;
  post({ kind: 'ready', origin, port: Number(new URL(origin).port), token, url });
  await engine.stopped;
  process.exit(0);
}

async function stop(): Promise<void> {
  ending.abort();
  setTimeout(() => process.exit(0), LAST_RESORT_MS).unref();
  if (engine === undefined) process.exit(0);
  await engine.stop();
}

async function tellOnlyCopies(id: number): Promise<void> {
  try {
    const { names } = (await system?.onlyCopies(ending.signal)) ?? { names: [] };
    post({ kind: 'only-copies', id, names });
  } catch (error) {
    // An engine that cannot tell does not keep anybody from quitting.
    process.stderr.write(`copies are not known: ${String(error)}\n`);
    post({ kind: 'only-copies', id, names: [] });
  }
}

function ownPort(): ParentPort {
  const { parentPort: port } = process as { parentPort?: ParentPort };
  if (port === undefined) throw new AppError('internal', 'this program is started by the desktop application');
  return port;
}
