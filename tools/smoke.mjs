import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { desktopScenario } from '../test/fixtures/desktop-scenario.ts';
import { ElectronApp } from '../test/fixtures/electron-driver.ts';
import { hasProsody, startProsody } from '../test/fixtures/prosody.ts';
import { startXDisplay } from '../test/fixtures/x-display.ts';
import { findElectron, hasDisplay } from './bootstrap/electron.mjs';
import { ensurePackages, findCommand } from './bootstrap/packages.mjs';
import { inRoot, root } from './bootstrap/root.mjs';
import { say, seconds } from './bootstrap/say.mjs';

/** `npm run smoke`: what the tests do with a stand-in, on a real Electron. Without one nothing is claimed. */

const program = findElectron();
if (program === undefined) {
  skip(
    'no Electron is here. "npm start" on a computer with a display downloads it; ELECTRON_OVERRIDE_DIST_PATH names one.',
  );
} else {
  await ensurePackages('demo');
  const canShow = hasDisplay(process.platform, process.env) || findCommand('Xvfb') !== undefined;
  if (!hasProsody()) skip('a chat server is needed: please install prosody and openssl.');
  else if (!canShow) skip('there is no display, and no Xvfb.');
  else process.exitCode = await smoke(program);
}

/** @param {string} reason */
function skip(reason) {
  console.log(`SKIP SKIP SKIP  Nothing was tested on Electron: ${reason}`);
}

/** @param {string} electron */
async function smoke(electron) {
  await using things = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'spherecast-smoke-'));
  things.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const server = things.use(await startProsody({ users: { anna: 'pw-anna' } }));
  const profile = path.join(folder, 'profile');
  const sandbox = process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const driver = things.use(
    await ElectronApp.start({
      program: electron,
      args: [...sandbox, root, '--profile', profile],
      env: { NODE_EXTRA_CA_CERTS: server.caFile, LANGUAGE: 'en', ...(await display(things)) },
    }),
  );
  const { versions, sqlite, secrets } = await driver.facts(inRoot('package.json'));
  console.log(`Electron ${versions['electron']}, Chromium ${versions['chrome']}, Node.js ${versions['node']}`);
  console.log(`better-sqlite3 loads: SQLite ${sqlite}. Secrets are kept by: ${secrets}`);
  const scene = {
    driver,
    profile,
    folder,
    account: { jid: `anna@${server.domain}`, password: 'pw-anna', server: `${server.host}:${server.c2sPort}` },
    pictures: inRoot('artefacts', 'smoke'),
  };
  return runSteps(scene);
}

/** @param {import('../test/fixtures/desktop-scenario.ts').DesktopScene} scene */
async function runSteps(scene) {
  for (const step of desktopScenario) {
    const startedMs = performance.now();
    try {
      await step.run(scene);
      console.log(`ok    ${step.name} (${seconds(performance.now() - startedMs)})`);
    } catch (error) {
      // Each step builds on the one before it.
      console.log(`FAIL  ${step.name}`);
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
      return 1;
    }
  }
  console.log(`PASS  all ${desktopScenario.length} steps on a real Electron`);
  return 0;
}

/**
 * @param {AsyncDisposableStack} things
 * @returns {Promise<Record<string, string>>}
 */
async function display(things) {
  if (hasDisplay(process.platform, process.env)) return {};
  return { DISPLAY: things.use(await startXDisplay()).name };
}
