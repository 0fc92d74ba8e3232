import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inRoot } from './root.mjs';
import { say } from './say.mjs';
import { run } from './spawn.mjs';

const RELEASES = 'https://github.com';

/**
 * Whether a window can be shown.
 * @param {string} platform
 * @param {NodeJS.ProcessEnv} env
 */
export function hasDisplay(platform, env) {
  if (platform === 'win32' || platform === 'darwin') return true;
  return Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY']);
}

/** @param {string} platform */
function programName(platform) {
  if (platform === 'win32') return 'electron.exe';
  return platform === 'darwin' ? path.join('Electron.app', 'Contents', 'MacOS', 'Electron') : 'electron';
}

/**
 * Absolute path of the Electron program, undefined when its runtime was not downloaded.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findElectron(env = process.env) {
  const override = env['ELECTRON_OVERRIDE_DIST_PATH'];
  const home = inRoot('node_modules', 'electron');
  const note = path.join(home, 'path.txt');
  const name =
    override === undefined && existsSync(note) ? readFileSync(note, 'utf8').trim() : programName(process.platform);
  const file = path.join(override ?? path.join(home, 'dist'), name);
  return existsSync(file) ? file : undefined;
}

/**
 * The Electron program, downloaded when a window can be shown and the download answers; else the reason why not.
 * @param {string} runtime
 * @returns {Promise<{ program: string } | { reason: string }>}
 */
export async function ensureElectron(runtime) {
  if (!hasDisplay(process.platform, process.env)) return { reason: 'there is no display' };
  const found = findElectron();
  if (found !== undefined) return { program: found };
  const installer = inRoot('node_modules', 'electron', 'install.js');
  if (!existsSync(installer)) return { reason: 'the package electron is not installed' };
  if (!(await canDownload())) return { reason: `${new URL(RELEASES).host} does not answer` };
  say('Downloading Electron (about 120 MB, once) …');
  const result = await run(runtime, [installer], { streams: 'quiet', timeoutMs: 15 * 60_000 });
  const program = findElectron();
  if (program !== undefined) return { program };
  const line = result.output.split('\n').find((each) => /error/i.test(each)) ?? `exit code ${result.code}`;
  return { reason: `its download failed: ${line.trim()}` };
}

async function canDownload() {
  // A mirror or a proxy is the person's own choice: the installer knows how to reach it.
  const own = ['ELECTRON_MIRROR', 'npm_config_electron_mirror', 'ELECTRON_GET_USE_PROXY'];
  if (own.some((name) => Boolean(process.env[name]))) return true;
  try {
    await fetch(RELEASES, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(5000) });
    return true;
  } catch {
    // Any failure means the same here: no download, the browser is used.
    return false;
  }
}
