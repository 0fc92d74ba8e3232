import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import type { LibraryCurve, LibraryWebCrypto } from './library-crypto.ts';
import { createLibraryCurve, createLibraryWebCrypto } from './library-crypto.ts';
import { proveSignalSafe } from './self-test.ts';
import type { SignalClasses, SignalLibrary } from './signal-types.ts';

interface SignalModule extends SignalClasses {
  setCurve(curve: LibraryCurve): void;
  setWebCrypto(crypto: LibraryWebCrypto): void;
}

interface LockModule {
  readonly SessionLock: { readonly _promises: unknown[]; readonly errors: unknown[] };
}

const PACKAGE = 'libsignal-protocol-typescript';
const CURVE_PACKAGE = 'curve25519-ts';

/**
 * Loads the Signal library with our curve and randomness and proves that it refuses what it must refuse.
 * Throws `encryption-unsafe` when it does not: then nothing may be encrypted.
 */
export async function loadSignal(deps: { random: RandomBytes; packageName?: string }): Promise<SignalLibrary> {
  const listenersBefore = processListeners();
  const library = loadUnproven(deps.packageName ?? PACKAGE, deps.random);
  await proveSignalSafe(library);
  if (processListeners() !== listenersBefore) {
    throw new AppError('encryption-unsafe', 'the library listens to errors of the whole process');
  }
  return library;
}

function loadUnproven(packageName: string, random: RandomBytes): SignalLibrary {
  const main = createRequire(import.meta.url).resolve(packageName);
  const load = privateLoader();
  const signal = load(main) as SignalModule;
  const { SessionLock } = load(createRequire(main).resolve('./session-lock')) as LockModule;
  signal.setCurve(createLibraryCurve(random));
  signal.setWebCrypto(createLibraryWebCrypto(random));
  return {
    SessionBuilder: signal.SessionBuilder,
    SessionCipher: signal.SessionCipher,
    SignalProtocolAddress: signal.SignalProtocolAddress,
    drain() {
      SessionLock._promises.length = 0;
      SessionLock.errors.length = 0;
    },
  };
}

/**
 * A copy of the CommonJS package of our own: its global lock and curve are shared with nobody, and its console,
 * to which it prints whole sessions, is mute.
 */
function privateLoader(): (file: string) => unknown {
  const loaded = new Map<string, { exports: unknown }>();
  const mute = new Proxy({}, { get: () => () => undefined });
  const load = (file: string): unknown => {
    const known = loaded.get(file);
    if (known !== undefined) return known.exports;
    const module: { exports: unknown } = { exports: {} };
    loaded.set(file, module);
    const requireFrom = createRequire(file);
    const requirePart = (name: string): unknown => {
      if (name === CURVE_PACKAGE) return { AsyncCurve25519Wrapper: class {}, Curve25519Wrapper: class {} };
      return name.startsWith('.') ? load(requireFrom.resolve(name)) : requireFrom(name);
    };
    const names = ['exports', 'require', 'module', '__filename', '__dirname', 'console'];
    const run = compileFunction(readFileSync(file, 'utf8'), names, { filename: file });
    run(module.exports, requirePart, module, file, dirname(file), mute);
    return module.exports;
  };
  return load;
}

function processListeners(): number {
  return process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
}
