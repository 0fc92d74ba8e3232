import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { root } from './root.mjs';

/**
 * `inherit`: the child has our streams; `stderr`: its output goes to our standard error; `quiet`: its output is kept.
 * @typedef {'inherit' | 'stderr' | 'quiet'} Streams
 * @typedef {{
 *   cwd?: string,
 *   env?: NodeJS.ProcessEnv,
 *   streams?: Streams,
 *   timeoutMs?: number,
 *   group?: boolean,
 *   shell?: boolean,
 * }} RunOptions
 * @typedef {{ code: number, output: string, ms: number, timedOut: boolean, interrupted: boolean }} RunResult
 */

/** @type {Record<Streams, import('node:child_process').StdioOptions>} */
const STDIO = {
  inherit: 'inherit',
  stderr: ['ignore', 2, 2],
  quiet: ['ignore', 'pipe', 'pipe'],
};

/**
 * Runs a command to its end. With `group` it leads its own process group, which is ended as a whole.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export function run(command, args, options = {}) {
  const startedMs = performance.now();
  const streams = options.streams ?? 'inherit';
  const group = options.group === true && process.platform !== 'win32';
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    stdio: group && streams === 'inherit' ? ['ignore', 'inherit', 'inherit'] : STDIO[streams],
    detached: group,
    shell: options.shell ?? false,
    windowsHide: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-200_000);
    });
  }
  /** @param {NodeJS.Signals} signal */
  const kill = (signal) => {
    if (group) killGroup(child.pid, signal);
    else child.kill(signal);
  };
  const signals = forwardSignals(kill, group);
  const deadline = watchDeadline(kill, options.timeoutMs);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      signals.stop();
      deadline.clear();
      reject(error);
    });
    child.once('close', (code, signal) => {
      signals.stop();
      deadline.clear();
      if (group) killGroup(child.pid, 'SIGKILL');
      resolve({
        code: exitCode(code, signal),
        output,
        ms: performance.now() - startedMs,
        timedOut: deadline.passed(),
        interrupted: signals.seen(),
      });
    });
  });
}

/**
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
export function exitCode(code, signal) {
  if (code !== null) return code;
  return signal === null ? 1 : 128 + constants.signals[signal];
}

/**
 * @param {number | undefined} pid
 * @param {NodeJS.Signals} signal
 */
function killGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is already gone, which is what was wanted.
  }
}

/**
 * @param {(signal: NodeJS.Signals) => void} kill
 * @param {boolean} always
 */
function forwardSignals(kill, always) {
  let seen = false;
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    seen = true;
    // A terminal sends Ctrl-C to the child as well; a second one would cut its orderly end short.
    if (signal === 'SIGINT' && !always && process.stdin.isTTY) return;
    kill(signal);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return {
    seen: () => seen,
    stop: () => {
      for (const signal of signals) process.off(signal, forward);
    },
  };
}

/**
 * @param {(signal: NodeJS.Signals) => void} kill
 * @param {number | undefined} timeoutMs
 */
function watchDeadline(kill, timeoutMs) {
  let passed = false;
  /** @type {NodeJS.Timeout[]} */
  const timers = [];
  if (timeoutMs !== undefined) {
    timers.push(
      setTimeout(() => {
        passed = true;
        kill('SIGTERM');
      }, timeoutMs),
      setTimeout(() => kill('SIGKILL'), timeoutMs + 5000),
    );
  }
  return {
    passed: () => passed,
    clear: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
