import { expect, test } from 'vitest';
import { differingDevices } from './differing-devices.ts';

test('only a device whose key is here, and another one, differs from a code', () => {
  const shown = [
    { deviceId: 1, fingerprint: 'aa' },
    { deviceId: 2, fingerprint: 'bb' },
    { deviceId: 3, fingerprint: null },
  ];
  const code = [1, 2, 3, 4].map((deviceId) => ({ deviceId, fingerprint: 'aa' }));
  expect(differingDevices(shown, code)).toEqual([2]);
});
