import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { LimitsView } from '../contract/views.ts';
import { createProfileFolders, locateProfile, readConfig } from './profile.ts';
import { settingsCalls } from './settings-calls.ts';
import { SpeedRules } from './speed-rules.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'settings-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a change keeps what it does not name, holds at once, and is there after a restart', async () => {
  const profile = locateProfile(folder);
  createProfileFolders(profile);
  const applied: LimitsView[] = [];
  const apply = async (limits: LimitsView): Promise<void> => void applied.push(limits);
  const speed = new SpeedRules({ settings: readConfig(profile), apply, clock: new VirtualClock() });
  const shown: LimitsView[] = [];
  const views = { setLimits: (limits: LimitsView) => void shown.push(limits) } as never;
  const settings = settingsCalls({ profile, speed, views });

  const before = await settings.get(signal);
  expect(before).toMatchObject({ inForce: { up: 0, down: 0 }, restartNeeded: false, network: { mapPorts: true } });
  await settings.set({ limits: { up: 4000 } }, signal);
  await settings.set({ quiet: { on: true, limits: { up: 1000, down: 2000 } } }, signal);
  expect(applied).toEqual([
    { up: 4000, down: 0 },
    { up: 1000, down: 2000 },
  ]);
  expect(shown.at(-1)).toEqual({ up: 4000, down: 0 });
  const after = await settings.set({ network: { dataPort: 6881 }, tellTyping: false }, signal);
  expect(after).toEqual({
    limits: { up: 4000, down: 0 },
    quiet: { ...before.quiet, on: true, limits: { up: 1000, down: 2000 } },
    network: { ...before.network, dataPort: 6881 },
    tellTyping: false,
    inForce: { up: 1000, down: 2000 },
    restartNeeded: true,
  });
  const started = settingsCalls({ profile, speed, views });
  expect(await started.get(signal)).toEqual({ ...after, restartNeeded: false });
});
