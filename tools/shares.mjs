import path from 'node:path';

/**
 * What the tests are for, and how many seconds of `npm test` each purpose may take; together less than half an hour.
 * A test file belongs to the first purpose that names it; what nobody names, and every step that is not a test file, to the main job.
 * @type {readonly { name: string, budgetSeconds: number, files: RegExp }[]}
 */
export const SHARES = [
  {
    name: 'reach',
    budgetSeconds: 400,
    files:
      /^(src\/nat|src\/engine\/doctor|test\/netlab)\/|^test\/integration\/(engine-doctor|engine-always-on|xmpp-external-services)|^test\/e2e\/screens-(network|check)/,
  },
  {
    name: 'conversation',
    budgetSeconds: 300,
    files:
      /^(src\/people|src\/xmpp|src\/omemo|src\/engine\/search)\/|^src\/base\/xmpp-uri|^test\/integration\/(engine-(account|chaos|faces|hostile|long-texts|people|messages|profile|secrecy|slow-line)|forgeries|interop-|server-abilities|xmpp-(account|client|pep|reconnect|resume|room|roster|sasl))|^test\/e2e\/screens-(conversation|people|profiles|first-hour)/,
  },
  {
    name: 'swarm',
    budgetSeconds: 360,
    files:
      /^(src\/torrent|src\/swarm)\/|^test\/integration\/(swarm-(disk-full|disk-operations|faults|greedy|hostile|process|public|transfer)|engine-(comfort|edited|few-files|kill|streams|tracker))|^test\/e2e\/screens-(folder|items)/,
  },
  {
    name: 'log',
    budgetSeconds: 240,
    files:
      /^(src\/spheres|test\/sim)\/|^test\/integration\/engine-(history-packs|members|moved|moving|own-devices)|^test\/e2e\/(recovery-kit|screens-family)/,
  },
  { name: 'main job', budgetSeconds: 480, files: /^/ },
];

/**
 * @typedef {{ name: string, startTime: number, endTime: number }} FileTime milliseconds of one clock
 */

/**
 * Divides the time of each suite among the purposes: the span in which test files ran by how long each of them took,
 * since several run at once; the rest, like compiling and linting, is the main job's.
 * @param {readonly { ms: number, files: readonly FileTime[] }[]} suites
 * @param {string} root the folder that the names of files begin with
 * @returns {Map<string, number>} milliseconds by name of the purpose
 */
export function divideTime(suites, root) {
  const shares = new Map(SHARES.map((share) => [share.name, 0]));
  const add = (/** @type {string} */ name, /** @type {number} */ ms) => shares.set(name, (shares.get(name) ?? 0) + ms);
  for (const { ms, files } of suites) {
    const began = Math.min(...files.map((file) => file.startTime));
    const ended = Math.max(...files.map((file) => file.endTime));
    const spanMs = files.length === 0 ? 0 : Math.min(ms, ended - began);
    const worked = files.reduce((total, file) => total + file.endTime - file.startTime, 0);
    for (const file of files) {
      add(purposeOf(path.relative(root, file.name)), (spanMs * (file.endTime - file.startTime)) / Math.max(1, worked));
    }
    add('main job', ms - spanMs);
  }
  return shares;
}

/** @param {string} file relative to the root */
function purposeOf(file) {
  const slashed = file.split(path.sep).join('/');
  return SHARES.find((share) => share.files.test(slashed))?.name ?? 'main job';
}

/**
 * Rows for a table: purpose, time, budget and a warning when it took longer.
 * @param {Map<string, number>} shares milliseconds
 */
export function shareRows(shares) {
  const rows = SHARES.map(({ name, budgetSeconds }) => {
    const seconds = (shares.get(name) ?? 0) / 1000;
    return [
      name,
      `${seconds.toFixed(1)} s`,
      `${budgetSeconds} s`,
      seconds > budgetSeconds ? 'WARNING: over its budget' : 'ok',
    ];
  });
  return [['purpose', 'time', 'budget', 'result'], ...rows];
}
