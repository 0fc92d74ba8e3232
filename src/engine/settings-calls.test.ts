import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Finding } from '../contract/finding.ts';
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
  const found: Finding[] = [];
  const feed = { setFinding: async (finding: Finding): Promise<void> => void found.push(finding) };
  const settings = settingsCalls({ profile, speed, views, feed });

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
    public: before.public,
    inForce: { up: 1000, down: 2000 },
    restartNeeded: true,
  });
  const started = settingsCalls({ profile, speed, views, feed });
  expect(await started.get(signal)).toEqual({ ...after, restartNeeded: false });
});

test('how strangers are found holds at once, and nobody is asked for any before a person says so', async () => {
  const profile = locateProfile(folder);
  createProfileFolders(profile);
  const speed = new SpeedRules({
    settings: readConfig(profile),
    apply: async () => undefined,
    clock: new VirtualClock(),
  });
  const told: Finding[] = [];
  const feed = { setFinding: async (finding: Finding): Promise<void> => void told.push(finding) };
  const settings = settingsCalls({ profile, speed, views: { setLimits: () => undefined } as never, feed });
  const before = await settings.get(signal);
  expect(before.public).toMatchObject({ dht: false, pex: true });
  const after = await settings.set({ public: { dht: true, dhtNodes: ['192.0.2.7:6881'] } }, signal);
  expect(after.public).toEqual({ dht: true, pex: true, dhtNodes: ['192.0.2.7:6881'] });
  expect(after.restartNeeded).toBe(false);
  expect(told).toEqual([after.public]);
});
