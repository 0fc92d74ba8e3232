import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findCommand } from '../bootstrap/packages.mjs';
import { inRoot, root } from '../bootstrap/root.mjs';
import { findRuntime } from '../bootstrap/runtime.mjs';
import { Interrupted } from '../bootstrap/say.mjs';
import { run } from '../bootstrap/spawn.mjs';

/** Opens a database in memory: shows that the prebuilt file of better-sqlite3 loads. */
const LOAD_DATABASE = "const D = require('better-sqlite3'); new D(':memory:').prepare('select 1').get()";

/**
 * Clones the last commit and installs it like a stranger's machine would: no compiler that works, no npm configuration
 * of the person, an empty npm cache, and the Node.js that started this.
 * @param {number} timeoutMs
 * @returns {Promise<import('../report.mjs').Counts & { notes: string[] }>}
 */
export async function freshClone(timeoutMs) {
  const git = findCommand('git');
  if (git === undefined || !existsSync(inRoot('.git'))) {
    return { passed: 0, failed: 0, skipped: ['a fresh clone installs (this is no git checkout)'], notes: [] };
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'spherecast-fresh-'));
  const clone = path.join(folder, 'clone');
  const env = {
    ...process.env,
    CC: '/bin/false',
    CXX: '/bin/false',
    npm_config_userconfig: '/dev/null',
    npm_config_cache: path.join(folder, 'cache'),
  };
  /** @type {string[]} */
  const failures = [];
  /**
   * @param {string} what
   * @param {string} command
   * @param {string[]} args
   * @param {number} code
   */
  const step = async (what, command, args, code = 0) => {
    if (failures.length > 0) return '';
    const cwd = existsSync(clone) ? clone : folder;
    const result = await run(command, args, { cwd, env, streams: 'quiet', timeoutMs, group: true });
    if (result.interrupted) throw new Interrupted();
    console.log(`${result.code === code ? '✓' : '×'} ${what} (${(result.ms / 1000).toFixed(1)} s)`);
    if (result.code !== code) {
      failures.push(what);
      console.log(result.output);
    }
    return result.output;
  };
  try {
    await step('the last commit is cloned', git, ['clone', '-q', root, clone]);
    // A bench without a name ends with 2 after the installation, and runs nothing else.
    await step(
      `its packages install without a compiler, under Node.js ${process.versions.node}`,
      process.execPath,
      ['tools/run.mjs', 'bench'],
      2,
    );
    const { platform, arch, execPath } = process;
    const runtime = findRuntime(clone, {
      platform,
      arch,
      version: process.versions.node,
      execPath,
      exists: existsSync,
    });
    await step('the database loads under the pinned runtime', runtime ?? 'node', ['-e', LOAD_DATABASE]);
    if (failures.length === 0) {
      const problem = await startProblem(clone, env, timeoutMs);
      console.log(`${problem === undefined ? '✓' : '×'} npm start answers where it says, and ends when asked`);
      if (problem !== undefined) failures.push(`npm start: ${problem}`);
    }
    const changes = await step('the checkout can be looked at', git, ['status', '--porcelain']);
    if (changes !== '') failures.push('the checkout is unchanged');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { passed: failures.length === 0 ? 1 : 0, failed: failures.length, skipped: [], notes: failures };
}

/**
 * Starts the application without opening anything, asks for its page and ends it.
 * @param {string} clone
 * @param {NodeJS.ProcessEnv} env
 * @param {number} timeoutMs
 * @returns {Promise<string | undefined>} what went wrong
 */
async function startProblem(clone, env, timeoutMs) {
  const args = ['tools/run.mjs', 'start', '--no-open', '--port', '0', '--profile', path.join(clone, '..', 'profile')];
  const child = spawn(process.execPath, args, { cwd: clone, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const killer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const ended = once(child, 'close');
  try {
    let said = '';
    for await (const text of child.stdout.setEncoding('utf8')) {
      said += text;
      const [url] = said.match(/^http:\S+(?=\n)/m) ?? [];
      if (url === undefined) continue;
      const { status } = await fetch(url, { redirect: 'manual' });
      child.kill('SIGINT');
      const [code] = await ended;
      if (status >= 400) return `its page answers ${status}`;
      return code === 0 ? undefined : `it ended with ${code}`;
    }
    return `no address in ${JSON.stringify(said)}`;
  } finally {
    clearTimeout(killer);
    child.kill('SIGKILL');
  }
}
