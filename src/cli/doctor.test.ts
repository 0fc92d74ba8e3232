import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeLackingServer, fakeTroubledFacts } from '../../test/fixtures/fake-doctor.ts';
import type { TestEngine } from '../../test/fixtures/test-engine.ts';
import { startTestEngine } from '../../test/fixtures/test-engine.ts';
import { runCli } from './run.ts';

let started: TestEngine;
beforeAll(async () => {
  started = await startTestEngine();
  started.services.doctorFacts = { ...fakeTroubledFacts(), server: fakeLackingServer('room-archive') };
});
afterAll(async () => started[Symbol.asyncDispose]());

async function run(...line: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  const code = await runCli(['--profile', started.profile, 'doctor', ...line], {
    io: {
      cwd: '/somewhere',
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      readStdin: async () => '',
    },
    openPage: async () => undefined,
    startEngine: () => Promise.reject(new Error('not in these tests')),
  });
  return { code, stdout, stderr };
}

test('doctor prints one value with findings, devices and what was measured', async () => {
  const { code, stdout, stderr } = await run('--json');
  expect({ code, stderr, lines: stdout.split('\n').length }).toEqual({ code: 0, stderr: '', lines: 2 });
  const report = JSON.parse(stdout);
  expect(Object.keys(report)).toEqual(['version', 'atMs', 'findings', 'devices', 'server', 'network', 'disks']);
  expect(report.findings).toContainEqual({ area: 'router', code: 'router-closed', severity: 'warning', params: {} });
  const paul = report.devices.find(({ jid }: { jid: string }) => jid === 'paul@example.org');
  expect(paul).toMatchObject({ state: 'unreached', severity: 'problem', path: null, advice: 'open-router' });
  expect(paul.attempts).toContainEqual({ path: 'tcp', outcome: 'unreachable', atMs: 1_700_000_000_000 });
  expect(report.network.ports).toMatchObject([{ purpose: 'data', state: 'closed', via: null }]);
  expect(report.server).toMatchObject({ tls: 'TLSv1.3', roundTripMs: 38 });
  expect(report.disks).toMatchObject([{ freeBytes: 212_000_000_000, writable: true }]);
});

test('for people it is the sentences of the application, with why and what to do', async () => {
  const { stdout } = await run();
  expect(stdout).toContain('Your server: Good\n  You are signed in, and the server answers.\n');
  expect(stdout).toMatch(/^The door of your router: Could be better\n.*\n {2}→ Switch on UPnP/m);
  expect(stdout).toMatch(
    /^paul@example\.org \([0-9a-f]{8}\): Does not work\n {2}Online, but .*\n {2}You are not in the same/m,
  );
  expect(stdout).not.toMatch(/\{\w+\}/);
});

test('doctor lists what the server can do, and for what it lacks the lines to add', async () => {
  const { abilities } = JSON.parse((await run('--json')).stdout).server;
  const ability = (name: string): unknown => abilities.find((one: { name: string }) => one.name === name);
  const passes = { spec: 'XEP-0313', need: 'should', has: true, prosody: null, ejabberd: null };
  expect(ability('archive')).toEqual({ name: 'archive', ...passes });
  expect(ability('room-archive')).toMatchObject({
    has: false,
    prosody: expect.stringMatching(/^Component "rooms\.example\.org" "muc"\n.*"muc_mam"/) as string,
    ejabberd: expect.stringContaining('mod_mam') as string,
  });
  const { stdout } = await run();
  expect(stdout).toMatch(/^pass +archive +XEP-0313/m);
  expect(stdout).toMatch(/^fail +room-archive +XEP-0313 +should$/m);
  expect(stdout).toMatch(/^room-archive:\n {2}Prosody: {2}Component "rooms\.example\.org" "muc"$/m);
});

test('while it looks it says at what, when it is asked to tell more', async () => {
  expect((await run('--verbose')).stderr).toBe('looking at disk\n');
});
