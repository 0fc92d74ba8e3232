import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError } from '../base/errors.ts';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import { systemRandom } from '../base/random.ts';
import { Caller } from './caller.ts';

const sphereId = parseSphereId('5'.repeat(64));
const [anna, ben] = [parseDeviceKey('a'.repeat(64)), parseDeviceKey('b'.repeat(64))];

/** How a call over WebRTC ends whose stream cannot be opened. */
async function outcomeOf(code: ErrorCode): Promise<string> {
  const self = { device: anna, privateKey: generateKeyPairSync('ed25519').privateKey };
  const caller = new Caller({
    admission: { clock: new VirtualClock(), random: systemRandom, self },
    addresses: [],
    rtc: { open: () => Promise.reject(new AppError(code, 'no stream')) },
  });
  const never = new AbortController().signal;
  const has = (): boolean => true;
  const sphere = { sphereId, admissionKeys: [new Uint8Array(32)], isListed: has, has, seeks: has };
  const callee = { endpoint: `webrtc ${ben}`, path: 'webrtc' as const, device: ben };
  const call = { callee, sphere, infoHash: parseInfoHash('1'.repeat(40)), purpose: 'swarm' as const, attempt: 0 };
  return (await caller.call(call, never)).kind;
}

test('one stream too many on a connection that works does not make its device unreachable', async () => {
  expect(await outcomeOf('conflict')).toBe('refused');
  expect(await outcomeOf('timed-out')).toBe('unreachable');
  expect(await outcomeOf('disconnected')).toBe('unreachable');
});
