import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { OmemoBundle } from '../omemo/types.ts';
import { DeviceDirectory } from '../spheres/device-directory.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppClient } from '../xmpp/client.ts';
import { fetchBundle, fetchDeviceList, publishBundle, publishDeviceList } from '../xmpp/xep/0384-omemo.ts';

interface DirectoryDeps {
  readonly client: XmppClient;
  readonly storage: Storage;
  /** Whether nothing more is for a device of our own. */
  readonly isGone: (deviceId: number) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The devices of all accounts, as their servers list them. */
export function openDirectory({ client, storage, isGone, clock, log }: DirectoryDeps): DeviceDirectory {
  const nodes = {
    deviceList: (jid: BareJid, signal?: AbortSignal) => fetchDeviceList(client, jid, signal),
    bundle: (jid: BareJid, deviceId: number, signal?: AbortSignal) => fetchBundle(client, jid, deviceId, signal),
    publishDeviceList: (ids: readonly number[], signal?: AbortSignal) => publishDeviceList(client, ids, signal),
    publishBundle: (deviceId: number, bundle: OmemoBundle, signal?: AbortSignal) =>
      publishBundle(client, deviceId, bundle, signal),
  };
  const isGoneOf = (jid: BareJid, deviceId: number): boolean => jid === client.jid && isGone(deviceId);
  return new DeviceDirectory({ nodes, known: storage.knownDevices, isGone: isGoneOf, clock, log });
}
