import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DesktopScene } from '../fixtures/desktop-scenario.ts';
import { desktopScenario } from '../fixtures/desktop-scenario.ts';
import { StandInApp } from '../fixtures/electron-standin/driver.ts';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { startProsody } from '../fixtures/prosody.ts';
import { startXDisplay } from '../fixtures/x-display.ts';

/** The built main process, preload script and engine on the stand-in for Electron, as a person would use them. */

const missing = missingPrograms('Xvfb', 'chromium', 'prosody', 'openssl', 'ffmpeg');
const things = new AsyncDisposableStack();
let scene: DesktopScene;

beforeAll(async () => {
  if (missing !== undefined) return;
  const folder = await mkdtemp(path.join(tmpdir(), 'spherecast-desktop-'));
  things.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const server = things.use(await startProsody({ users: { anna: 'pw-anna' } }));
  const display = things.use(await startXDisplay());
  const profile = path.join(folder, 'profile');
  // The engine trusts what its computer trusts; here that is the test server's authority.
  const env = { NODE_EXTRA_CA_CERTS: server.caFile };
  const driver = things.use(await StandInApp.start({ profile, display: display.name, env }));
  scene = {
    driver,
    profile,
    folder,
    account: { jid: `anna@${server.domain}`, password: 'pw-anna', server: `${server.host}:${server.c2sPort}` },
    pictures: path.join(import.meta.dirname, '..', '..', 'artefacts', 'electron'),
  };
});

afterAll(() => things.disposeAsync());

describe.skipIf(missing !== undefined)('the desktop application on the stand-in', () => {
  for (const step of desktopScenario) {
    test(`${step.name}`, () => expect(step.run(scene)).resolves.toBeUndefined());
  }
});
