/**
 * The suites of `npm test` in the order they run, each with its time budget; together at most half an hour.
 * `projects` are those of vitest.config.ts, `files` says where their tests lie.
 * @typedef {{
 *   name: string,
 *   what: string,
 *   projects: string[],
 *   files: { folder: string, deep: boolean, pattern: RegExp }[],
 *   steps: boolean,
 *   budgetSeconds: number,
 * }} Suite
 */

const TEST = /\.test\.ts$/;

/** @type {readonly Suite[]} */
export const SUITES = [
  {
    name: 'check',
    what: 'format, types, lint, layers, unit tests and fixtures',
    projects: ['unit', 'ui'],
    files: [
      { folder: 'src', deep: true, pattern: TEST },
      { folder: 'electron', deep: true, pattern: TEST },
      { folder: 'tools', deep: true, pattern: TEST },
      { folder: 'test', deep: false, pattern: TEST },
      { folder: 'test/sim', deep: true, pattern: TEST },
    ],
    steps: true,
    budgetSeconds: 240,
  },
  {
    name: 'integration',
    what: 'against a real Prosody and real processes',
    projects: ['integration'],
    files: [{ folder: 'test/integration', deep: true, pattern: TEST }],
    steps: false,
    budgetSeconds: 480,
  },
  {
    name: 'netlab',
    what: 'routers and homes in network namespaces',
    projects: ['netlab'],
    files: [{ folder: 'test/netlab', deep: true, pattern: TEST }],
    steps: false,
    budgetSeconds: 300,
  },
  {
    name: 'e2e',
    what: 'the whole application in Chromium and in the Electron stand-in',
    projects: ['e2e'],
    files: [{ folder: 'test/e2e', deep: true, pattern: TEST }],
    steps: false,
    budgetSeconds: 480,
  },
];

/** What `npm run test:long` runs besides, with ten times these budgets. */
export const FRESH_CLONE = {
  name: 'fresh clone',
  what: 'installs on a machine without compiler, npm configuration and cache',
  projects: [],
  files: [],
  steps: false,
  budgetSeconds: 120,
};

export const MEMORY = {
  name: 'memory',
  what: 'an item of 100 GB in 400 MB of memory',
  projects: [],
  files: [],
  steps: false,
  budgetSeconds: 180,
};
