import type { DeviceInCode } from './xmpp-uri.ts';

/** Those devices of a code that were met here with another key: somebody may have stood between two people. */
export function differingDevices(
  shown: readonly { readonly deviceId: number; readonly fingerprint: string | null }[],
  code: readonly DeviceInCode[],
): number[] {
  const differing = code.filter((device) => {
    const here = shown.find(({ deviceId }) => deviceId === device.deviceId)?.fingerprint ?? null;
    return here !== null && here !== device.fingerprint;
  });
  return differing.map(({ deviceId }) => deviceId);
}
