import { expect, test, vi } from 'vitest';
import { systemRandom } from '../base/random.ts';
import { loadSignal } from './signal.ts';

const unsafe = 'libsignal-protocol-unsafe';

test('the library in use refuses every forgery of the self-test', async () => {
  await expect(loadSignal({ random: systemRandom })).resolves.toBeDefined();
});

test('nothing is signed to prove the library: the first signature of a process takes longer than all of the test', async () => {
  const drawn = vi.spyOn(crypto, 'getRandomValues');
  await loadSignal({ random: systemRandom });
  const lengths = drawn.mock.calls.map(([into]) => into?.byteLength);
  drawn.mockRestore();
  expect(lengths).toContain(32);
  // What a signature draws.
  expect(lengths).not.toContain(64);
});

test('encryption does not start on a version of the library that does not check the MAC', async () => {
  await expect(loadSignal({ random: systemRandom, packageName: unsafe })).rejects.toMatchObject({
    code: 'encryption-unsafe',
    details: { check: 'first message with an altered MAC was accepted' },
  });
});

test('loading the library leaves no listeners on the process and prints nothing', async () => {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.listenerCount(event));
  const printed = [vi.spyOn(console, 'warn'), vi.spyOn(console, 'error'), vi.spyOn(console, 'log')];
  await loadSignal({ random: systemRandom });
  expect(events.map((event) => process.listenerCount(event))).toEqual(before);
  expect(printed.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0]);
  for (const spy of printed) spy.mockRestore();
});
