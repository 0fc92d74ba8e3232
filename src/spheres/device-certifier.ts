import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { DeviceDirectory } from './device-directory.ts';
import type { DeviceBody, VouchedDevice } from './protocol/certificate.ts';
import { certifyDevice } from './protocol/certificate.ts';
import type { Author } from './protocol/event.ts';
import type { PersonSigningKey } from './protocol/keys.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface DeviceCertifierDeps {
  readonly list: SphereList;
  readonly directory: DeviceDirectory;
  readonly omemo: Omemo;
  readonly author: Author;
  readonly person: PersonSigningKey;
  readonly own: BareJid;
  readonly log: Logger;
}

const MAX_VOUCHED = 16;

/** Says by the person key that this device is one of the person's. */
export class DeviceCertifier {
  readonly #deps: DeviceCertifierDeps;

  constructor(deps: DeviceCertifierDeps) {
    this.#deps = deps;
  }

  /** What others get to know this device by; the same in every sphere. `jid`: the account that it is at, or will be. */
  certificate(vouched: readonly VouchedDevice[] = [], jid = this.#deps.own): DeviceBody {
    const { person, author, omemo } = this.#deps;
    const account = { jid, omemoDeviceId: omemo.deviceId, omemoIdentityKey: omemo.identityKey };
    const sign = (bytes: Uint8Array): Uint8Array => omemo.identityCountersign(bytes);
    return certifyDevice({ person, device: author.device.id, vouched }, { ...account, sign });
  }

  /** Makes this device known in a sphere. */
  certify(sphere: Sphere, vouched: readonly VouchedDevice[]): void {
    this.#deps.list.publish(sphere, 'device', this.certificate(vouched), { audience: { kind: 'members' } });
  }

  /** The account's other OMEMO devices, ordinary clients mostly, with the keys they show now. */
  async vouched(signal: AbortSignal): Promise<VouchedDevice[]> {
    const { directory, own, omemo, log } = this.#deps;
    const vouched: VouchedDevice[] = [];
    const deviceIds = await directory.deviceIds(own);
    for (const deviceId of deviceIds.filter((id) => id !== omemo.deviceId).slice(0, MAX_VOUCHED)) {
      try {
        const { identityKey } = await directory.bundle({ jid: own, deviceId }, signal);
        vouched.push({ deviceId, identityKey });
      } catch (error) {
        // A device without a readable bundle cannot be written to anyway.
        signal.throwIfAborted();
        log.info('own device left out', { deviceId, error });
      }
    }
    return vouched;
  }
}
