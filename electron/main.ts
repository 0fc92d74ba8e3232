import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import * as electron from 'electron';
import { systemRandom } from '../src/base/random.ts';
import { systemClock } from '../src/base/system-clock.ts';
import { createProfileFolders, locateProfile } from '../src/engine/profile.ts';
import { ProfileList } from '../src/engine/profile-list.ts';
import { EngineProcess } from './engine-process.ts';
import { lineForProfile, readLaunchOptions } from './launch-options.ts';
import { secretSealer } from './secret-sealer.ts';
import { DesktopShell } from './shell.ts';
import { ShellStateFile } from './shell-state.ts';
import { electronForker } from './utility-forker.ts';
import { wordsFor } from './words.ts';

/** The main process of the desktop application. */

const { app } = electron;
const folder = import.meta.dirname;
const options = readLaunchOptions(process.argv.slice(1), process.env['INIT_CWD'] ?? process.cwd());
const people = new ProfileList({ clock: systemClock, random: systemRandom });
const asksWho = options.profile === undefined;
const profileFolder = options.profile ?? people.last?.folder;
const profile = locateProfile(profileFolder);
// Each profile is an application of its own: its own lock, cookies and window size.
createProfileFolders(profile);
const ownFolder = path.join(profile.folder, 'desktop');
mkdirSync(ownFolder, { recursive: true, mode: 0o700 });
app.setPath('userData', ownFolder);
app.setName('Spherecast');
app.setAppUserModelId('org.spherecast.desktop');

if (app.requestSingleInstanceLock()) void run();
else app.exit(0);

async function run(): Promise<void> {
  await app.whenReady();
  const { platform } = process;
  const shell = new DesktopShell({
    electron,
    engine: new EngineProcess({
      profile: profileFolder,
      asksWho,
      forker: electronForker(electron, folder),
      sealer: secretSealer({ safeStorage: electron.safeStorage, platform }),
      clock: systemClock,
      random: Math.random,
    }),
    stateFile: new ShellStateFile(path.join(ownFolder, 'window.json')),
    clock: systemClock,
    words: wordsFor(app.getPreferredSystemLanguages()),
    platform,
    openProfile,
    folder,
  });
  app.on('second-instance', (_event, line) => {
    shell.open(people.isChoice && readLaunchOptions(line.slice(1), '/').profile === undefined);
  });
  app.on('activate', () => shell.open());
  app.on('before-quit', (event) => shell.beforeQuit(event));
  // Without a listener Electron would quit: closing the window does not end the sharing.
  app.on('window-all-closed', () => undefined);
  if (platform !== 'win32') electron.powerMonitor.on('shutdown', () => shell.endNow());
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => shell.endNow());
  shell.start();
}

/** One that is open already shows its window: each profile has one application, by its lock. */
function openProfile(id: string): boolean {
  const wanted = people.all().find((one) => one.id === id);
  if (wanted === undefined) return false;
  const line = lineForProfile(process.argv.slice(1), wanted.folder);
  const child = spawn(process.execPath, line, { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  return true;
}
