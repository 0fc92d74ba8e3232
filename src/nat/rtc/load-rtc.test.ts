import { expect, test } from 'vitest';
import { FakeConnection, FakeRtc } from '../../../test/fixtures/fake-rtc.ts';
import { loadRtc } from './load-rtc.ts';

test('a platform without the library is told, and nothing crashes', async () => {
  const cause = new Error('Cannot find module');
  await expect(loadRtc(() => Promise.reject(cause))).rejects.toMatchObject({ code: 'not-found', cause });
});

test('the library gets its settings before the first connection, and ends with the process', async () => {
  const calls: string[] = [];
  class PeerConnection extends FakeConnection {
    constructor(_name: string, config: { readonly iceServers: readonly unknown[]; readonly enableIceTcp: boolean }) {
      super(new FakeRtc(), 0);
      calls.push(`connect ${JSON.stringify(config.iceServers)} ${config.enableIceTcp}`);
    }
  }
  const settings = (): void => void calls.push('settings');
  const rtc = await loadRtc(() =>
    Promise.resolve({ PeerConnection, setSctpSettings: settings, cleanup: () => void calls.push('cleanup') }),
  );
  rtc.createConnection([{ hostname: 'stun.example', port: 3_478 }]);
  rtc[Symbol.dispose]();
  expect(calls).toEqual(['settings', 'connect [{"hostname":"stun.example","port":3478}] false', 'cleanup']);
});
