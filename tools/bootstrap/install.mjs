import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withLock } from './lock.mjs';
import { readJson } from './root.mjs';
import { Told, say, seconds } from './say.mjs';
import { run } from './spawn.mjs';

const NOTE = '.spherecast-lock';

/**
 * Hex SHA-256 of the lock file.
 * @param {string} folder
 */
export function lockHash(folder) {
  return createHash('sha256')
    .update(readFileSync(path.join(folder, 'package-lock.json')))
    .digest('hex');
}

/**
 * Whether node_modules was installed from the lock file as it is now.
 * @param {string} folder
 */
export function isInstalled(folder) {
  const note = path.join(folder, 'node_modules', NOTE);
  return existsSync(note) && readFileSync(note, 'utf8').trim() === lockHash(folder);
}

/**
 * The npm that started us, else the one in PATH.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ command: string, args: string[], shell: boolean }}
 */
export function npmCommand(env) {
  const script = env['npm_execpath'];
  if (script !== undefined && path.basename(script) === 'npm-cli.js') {
    return { command: process.execPath, args: [script], shell: false };
  }
  return { command: 'npm', args: [], shell: process.platform === 'win32' };
}

/**
 * Installs the packages of package-lock.json when they are not there yet. Never changes the lock file.
 * @param {string} folder
 */
export async function ensureInstalled(folder) {
  if (isInstalled(folder)) return;
  await withLock(path.join(folder, 'node_modules', '.spherecast-installing'), 'it installs the packages', async () => {
    if (!isInstalled(folder)) await install(folder);
  });
}

/** @param {string} folder */
async function install(folder) {
  const note = path.join(folder, 'node_modules', NOTE);
  rmSync(note, { force: true });
  const hash = lockHash(folder);
  say('Installing packages (a minute or two, only when package-lock.json changed) …');
  const npm = npmCommand(process.env);
  // Install scripts stay off: all packages ship prebuilt files, and an older npm would ignore allowScripts and compile.
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional'];
  const result = await run(npm.command, [...npm.args, 'install', ...flags, '--loglevel=error'], {
    cwd: folder,
    streams: 'quiet',
    shell: npm.shell,
  });
  if (result.code !== 0) {
    say(result.output.trimEnd().split('\n').slice(-40).join('\n'));
    throw new Told(`npm install failed with exit code ${result.code}; its last lines are above.`);
  }
  const absent = absentPackages(folder);
  if (absent.length > 0) throw new Told(`npm install left out: ${absent.join(', ')}`);
  writeFileSync(note, `${hash}\n`);
  say(`Packages installed in ${seconds(result.ms)}.`);
}

/**
 * Direct dependencies that must be there and are not.
 * @param {string} folder
 * @returns {string[]}
 */
export function absentPackages(folder) {
  const manifest = readJson(path.join(folder, 'package.json'));
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    (name) => !existsSync(path.join(folder, 'node_modules', name, 'package.json')),
  );
}
