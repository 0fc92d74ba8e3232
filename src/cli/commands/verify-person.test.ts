import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FakeServices } from '../../../test/fixtures/fake-services.ts';
import type { TestEngine } from '../../../test/fixtures/test-engine.ts';
import { startTestEngine } from '../../../test/fixtures/test-engine.ts';
import { runCli } from '../run.ts';

let started: TestEngine;
let services: FakeServices;
beforeAll(async () => {
  started = await startTestEngine();
  services = started.services;
});
afterAll(async () => started[Symbol.asyncDispose]());

async function run(line: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  let stdout = '';
  const code = await runCli(['--profile', started.profile, ...line], {
    io: {
      cwd: '/somewhere',
      stdout: (text) => (stdout += text),
      stderr: () => undefined,
      readStdin: () => Promise.resolve(''),
    },
    openPage: () => Promise.resolve(),
    startEngine: () => Promise.reject(new Error('not in these tests')),
  });
  return { code, stdout };
}

async function json(line: readonly string[]): Promise<unknown> {
  const { code, stdout } = await run(['--json', ...line]);
  expect({ line, code }).toEqual({ line, code: 0 });
  return JSON.parse(stdout);
}

test('whoever is met in no sphere is compared by their devices, one by one or by the code of their program', async () => {
  const shown = (await json(['person', 'verify', 'ben@b.test'])) as Record<string, unknown>;
  expect(Object.keys(shown)).toEqual(['numbers', 'devices', 'own', 'code', 'differed']);
  expect(shown).toMatchObject({ numbers: null, devices: [{ deviceId: 11, standing: 'open' }, {}], differed: [] });
  const { stdout } = await run(['person', 'verify', 'ben@b.test']);
  expect(stdout).toContain('11  open      11111111 11111111');
  const lastAsked = () => services.asked.at(-1);
  const device = { deviceId: 11, fingerprint: '11'.repeat(32) };
  for (const [word, isSame] of [['same', true] as const, ['differs', false] as const]) {
    await json(['person', 'verify', 'ben@b.test', '11', word]);
    expect(lastAsked()).toEqual({ call: 'compare', input: { jid: 'ben@b.test', devices: [device], isSame } });
  }
  const other = `xmpp:ben@b.test?omemo-sid-11=${'aa'.repeat(32)}`;
  expect(await json(['person', 'verify', 'ben@b.test', other])).toMatchObject({ differed: [11] });
  expect(lastAsked()?.input).toMatchObject({ devices: [{ deviceId: 11, fingerprint: 'aa'.repeat(32) }], isSame: true });
});

test('what nobody can be compared by is refused, and nothing is said of anybody', async () => {
  const before = services.asked.length;
  const wrong: [string, ...string[]][] = [
    ['ben@b.test', 'same'],
    ['ben@b.test', '12', 'same'],
    ['ben@b.test', '1e1', 'same'],
    ['ben@b.test', '11', 'maybe'],
    ['ben@b.test', 'xmpp:ben@b.test?roster'],
    ['ben@b.test', `xmpp:eve@b.test?omemo-sid-11=${'aa'.repeat(32)}`],
  ];
  const codes: number[] = [];
  for (const words of wrong) codes.push((await run(['person', 'verify', ...words])).code);
  expect(codes).toEqual([1, 1, 2, 2, 2, 1]);
  expect(services.asked.length).toBe(before);
});

test('a device is named by a whole number and nothing like it', async () => {
  const results = [];
  for (const number of ['1e3', '0x10', '', ' 7'])
    results.push((await run(['person', 'device', 'ben@b.test', number, 'in'])).code);
  expect(results).toEqual([2, 2, 2, 2]);
  await json(['person', 'device', 'ben@b.test', '7', 'in']);
  expect(services.asked.at(-1)?.input).toEqual({ jid: 'ben@b.test', deviceId: 7, choice: 'let-in' });
});
