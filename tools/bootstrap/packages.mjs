import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { aptScript } from './apt.mjs';
import { Told, say, seconds } from './say.mjs';
import { run } from './spawn.mjs';

/**
 * A package of Debian and Ubuntu, with what shows that it (or an equal) is there.
 * @typedef {'test' | 'demo' | 'bench'} Purpose
 * @typedef {{ commands: string[] } | { files: RegExp, below: string[] } | { python: string }} Probe
 * @typedef {{ name: string, probe: Probe, purposes: Purpose[], suites: string[], service?: boolean }} SystemPackage
 */

/** Programs that are Chromium, in the order of choice. */
export const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Without a window the shell does the same with a third less of a processor. */
export const HEADLESS_CHROMIUM = ['chromium-headless-shell', ...CHROMIUM];

/** @type {readonly SystemPackage[]} */
export const SYSTEM_PACKAGES = [
  {
    name: 'prosody',
    probe: { commands: ['prosody'] },
    purposes: ['test', 'demo'],
    suites: ['integration', 'netlab', 'e2e', 'memory'],
    service: true,
  },
  {
    name: 'lua-unbound',
    probe: { files: /^lunbound\.(so|lua)$/, below: ['/usr/lib', '/usr/share/lua'] },
    purposes: ['test', 'demo'],
    suites: ['integration', 'netlab', 'e2e', 'memory'],
  },
  {
    name: 'openssl',
    probe: { commands: ['openssl'] },
    purposes: ['test', 'demo'],
    suites: ['integration', 'netlab', 'e2e', 'memory'],
  },
  {
    name: 'ejabberd',
    probe: { commands: ['ejabberdctl'] },
    purposes: ['test'],
    suites: ['integration'],
    service: true,
  },
  { name: 'profanity', probe: { commands: ['profanity'] }, purposes: ['test'], suites: ['integration'] },
  { name: 'tmux', probe: { commands: ['tmux'] }, purposes: ['test'], suites: ['integration'] },
  { name: 'python3-oldmemo', probe: { python: 'oldmemo' }, purposes: ['test'], suites: ['integration'] },
  { name: 'python3-xmlschema', probe: { python: 'xmlschema' }, purposes: ['test'], suites: ['integration'] },
  { name: 'chromium', probe: { commands: CHROMIUM }, purposes: ['test'], suites: ['e2e'] },
  {
    name: 'chromium-headless-shell',
    probe: { commands: ['chromium-headless-shell', 'google-chrome', 'google-chrome-stable'] },
    purposes: ['test'],
    suites: ['e2e'],
  },
  { name: 'ffmpeg', probe: { commands: ['ffmpeg'] }, purposes: ['test', 'demo'], suites: ['integration', 'e2e'] },
  { name: 'xvfb', probe: { commands: ['Xvfb'] }, purposes: ['test'], suites: ['e2e'] },
  { name: 'xauth', probe: { commands: ['xauth'] }, purposes: ['test'], suites: ['e2e'] },
  {
    name: 'tcpdump',
    probe: { commands: ['tcpdump'] },
    purposes: ['test'],
    suites: ['integration'],
  },
  { name: 'iproute2', probe: { commands: ['ip'] }, purposes: ['test'], suites: ['netlab'] },
  { name: 'nftables', probe: { commands: ['nft'] }, purposes: ['test'], suites: ['netlab'] },
  { name: 'procps', probe: { commands: ['sysctl'] }, purposes: ['test'], suites: ['netlab'] },
  { name: 'python3', probe: { commands: ['python3'] }, purposes: ['test'], suites: ['netlab'] },
  { name: 'conntrack', probe: { commands: ['conntrack'] }, purposes: ['test'], suites: ['netlab'] },
  { name: 'coturn', probe: { commands: ['turnserver'] }, purposes: ['test'], suites: ['netlab'], service: true },
  { name: 'miniupnpd', probe: { commands: ['miniupnpd'] }, purposes: ['test'], suites: ['netlab'], service: true },
  {
    name: 'python3-libtorrent',
    probe: { python: 'libtorrent' },
    purposes: ['test', 'bench'],
    suites: ['integration', 'bench'],
  },
  { name: 'mktorrent', probe: { commands: ['mktorrent'] }, purposes: ['bench'], suites: ['bench'] },
  { name: 'transmission-cli', probe: { commands: ['transmission-cli'] }, purposes: ['bench'], suites: ['bench'] },
  { name: 'aria2', probe: { commands: ['aria2c'] }, purposes: ['bench'], suites: ['bench'] },
];

/**
 * The packages of a purpose that are not on this machine.
 * @param {Purpose} purpose
 * @param {(probe: Probe) => Promise<boolean>} isThere
 * @returns {Promise<SystemPackage[]>}
 */
export async function missingPackages(purpose, isThere = isOnThisMachine) {
  const wanted = SYSTEM_PACKAGES.filter((each) => each.purposes.includes(purpose));
  const there = await Promise.all(wanted.map((each) => isThere(each.probe)));
  return wanted.filter((_, index) => there[index] !== true);
}

/**
 * What may be done about missing packages on this machine.
 * @param {{ platform: string, hasApt: boolean, isRoot: boolean, isCi: boolean, hasSudo: boolean, isTerminal: boolean }} host
 * @returns {'install' | 'ask' | 'tell'}
 */
export function installDecision(host) {
  if (host.platform !== 'linux' || !host.hasApt) return 'tell';
  if (host.isRoot) return 'install';
  if (!host.hasSudo) return 'tell';
  if (host.isCi) return 'install';
  return host.isTerminal ? 'ask' : 'tell';
}

/**
 * Installs the system packages of a purpose, or asks, or says exactly what is missing and what that costs.
 * @param {Purpose} purpose
 * @returns {Promise<SystemPackage[]>} what is still missing
 */
export async function ensurePackages(purpose) {
  const missing = await missingPackages(purpose);
  if (missing.length === 0) return [];
  const isRoot = process.getuid?.() === 0;
  const isCi = ['1', 'true'].includes(process.env['CI'] ?? '');
  const decision = installDecision({
    platform: process.platform,
    hasApt: findCommand('apt-get') !== undefined,
    isRoot,
    isCi,
    hasSudo: findCommand('sudo') !== undefined,
    isTerminal: process.stdin.isTTY === true && process.stderr.isTTY === true,
  });
  const names = missing.map((each) => each.name);
  if (decision === 'install' || (decision === 'ask' && (await ask(names)))) {
    await install(missing, isRoot ? [] : isCi ? ['sudo', '-n'] : ['sudo']);
  }
  const left = await missingPackages(purpose);
  if (left.length > 0) say(missingText(left, purpose));
  return left;
}

/**
 * @param {readonly SystemPackage[]} missing
 * @param {Purpose} purpose
 */
export function missingText(missing, purpose) {
  const names = missing.map((each) => each.name).join(' ');
  return `Not installed: ${names}\n  Debian, Ubuntu: sudo apt-get install ${names}\n  Elsewhere: the packages that bring ${providedBy(missing)}\n  Until then ${costOf(missing, purpose)}`;
}

/**
 * @param {readonly SystemPackage[]} missing
 * @param {Purpose} purpose
 */
function costOf(missing, purpose) {
  if (purpose === 'demo') return 'the demo and the smoke test may not run';
  if (purpose === 'bench') return 'benches beside these programs do not run';
  return `these suites are skipped: ${[...new Set(missing.flatMap((each) => each.suites))].join(', ')}`;
}

/** @param {readonly SystemPackage[]} missing */
function providedBy(missing) {
  return missing.map(({ probe }) => probeText(probe)).join(', ');
}

/** @param {Probe} probe */
function probeText(probe) {
  if ('commands' in probe) return probe.commands[0] ?? '';
  return 'python' in probe ? `the Python module ${probe.python}` : String(probe.files.source.match(/\w+/)?.[0]);
}

/** @param {string[]} names */
async function ask(names) {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(
    `These system packages are needed: ${names.join(' ')}\nInstall them with sudo apt-get now? [Y/n] `,
  );
  terminal.close();
  return /^\s*(y|yes)?\s*$/i.test(answer);
}

/**
 * @param {readonly SystemPackage[]} missing
 * @param {string[]} prefix
 */
async function install(missing, prefix) {
  const names = missing.map((each) => each.name);
  say(`Installing system packages: ${names.join(' ')} …`);
  const services = missing.filter((each) => each.service === true).map((each) => each.name);
  const [command, ...args] = [...prefix, 'sh', '-c', aptScript(names, services)];
  if (command === undefined) throw new Told('There is no command to install system packages with.');
  const result = await run(command, args, { streams: prefix.length === 1 ? 'stderr' : 'quiet' });
  if (result.code === 0) say(`System packages installed in ${seconds(result.ms)}.`);
  else say(`${result.output.trimEnd().split('\n').slice(-15).join('\n')}\nThe system packages could not be installed.`);
}

/**
 * @param {Probe} probe
 * @returns {Promise<boolean>}
 */
async function isOnThisMachine(probe) {
  if ('commands' in probe) return probe.commands.some((name) => findCommand(name) !== undefined);
  if ('files' in probe) return probe.below.some((folder) => hasFile(folder, probe.files, 4));
  const python = '/usr/bin/python3';
  if (!existsSync(python)) return false;
  return (await run(python, ['-c', `import ${probe.python}`], { streams: 'quiet' })).code === 0;
}

/**
 * Absolute path of a program in PATH or the folders of system programs.
 * @param {string} name
 * @returns {string | undefined}
 */
export function findCommand(name) {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

/**
 * Absolute path of the first of these programs that is there.
 * @param {readonly string[]} names
 * @returns {string | undefined}
 */
export function findFirstCommand(names) {
  return names.map(findCommand).find((file) => file !== undefined);
}

/**
 * @param {string} folder
 * @param {RegExp} pattern
 * @param {number} depth
 * @returns {boolean}
 */
function hasFile(folder, pattern, depth) {
  if (!existsSync(folder)) return false;
  const entries = readdirSync(folder, { withFileTypes: true });
  if (entries.some((entry) => !entry.isDirectory() && pattern.test(entry.name))) return true;
  const onTheWay = /^(lua|5\.\d|[a-z0-9_]+-linux-gnu[a-z0-9]*)$/;
  return (
    depth > 0 &&
    entries.some(
      (entry) =>
        entry.isDirectory() && onTheWay.test(entry.name) && hasFile(path.join(folder, entry.name), pattern, depth - 1),
    )
  );
}
