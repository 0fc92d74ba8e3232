import { fromHex, toHex } from '../base/bytes.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { Storage } from '../storage/storage.ts';
import { DeviceChoices } from './device-choices.ts';
import type { DeviceDirectory } from './device-directory.ts';
import type { DeviceBody, VouchedDevice } from './protocol/certificate.ts';
import { certifyDevice } from './protocol/certificate.ts';
import type { Author } from './protocol/event.ts';
import type { PersonSigningKey } from './protocol/keys.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface DeviceCertifierDeps {
  readonly storage: Pick<Storage, 'settings' | 'ownDevices'>;
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

  /** Makes this device known in a sphere. `vouched`: what is on our account; what is new there waits for the person's word. */
  certify(sphere: Sphere, vouched: readonly VouchedDevice[]): void {
    this.#publish(
      sphere,
      vouched.filter((device) => this.#isOurs(device)),
    );
  }

  /** The person has said of a program whether it is theirs, or ended a computer: those who know us have to know, too. */
  vouchAgain(): void {
    const { storage, own, author, list } = this.#deps;
    const letIn = DeviceChoices.list(storage, own)
      .filter(({ choice }) => choice === 'let-in')
      .flatMap(withKey);
    const ended = new Set(
      storage.ownDevices.list().flatMap((row) => (row.state === 'ended' ? [row.omemoIdentityKey] : [])),
    );
    // Where a computer never came into a sphere, this alone says there that it is gone.
    const isKept = (device: VouchedDevice): boolean => {
      const choice = this.#choiceOf(device);
      return choice === 'let-in' || (choice !== 'left-out' && !ended.has(toHex(device.identityKey)));
    };
    for (const sphere of list.all()) {
      const here = sphere.state.devices.get(author.device.id);
      if (sphere.row.state !== 'joined' || here === undefined) continue;
      const before = here.vouched.flatMap(withKey);
      const kept = before.filter(isKept);
      const added = letIn.filter(({ deviceId }) => !kept.some((device) => device.deviceId === deviceId));
      if (added.length === 0 && kept.length === before.length) continue;
      this.#publish(sphere, [...kept, ...added].slice(0, MAX_VOUCHED));
    }
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

  #publish(sphere: Sphere, vouched: readonly VouchedDevice[]): void {
    this.#deps.list.publish(sphere, 'device', this.certificate(vouched), { audience: { kind: 'members' } });
  }

  #choiceOf({ deviceId, identityKey }: VouchedDevice) {
    const { storage, own } = this.#deps;
    return DeviceChoices.of(storage, own, { deviceId, identityKey: toHex(identityKey) });
  }

  /** Everything when the person's first device is certified; then what was vouched for, and what the person has let in. */
  #isOurs(device: VouchedDevice): boolean {
    const { storage, list, person } = this.#deps;
    const choice = this.#choiceOf(device);
    if (choice === 'let-in' || choice === 'left-out') return choice === 'let-in';
    const certificates = list
      .all()
      .flatMap(({ state }) => [...state.devices.values()].filter((one) => one.person === person.id));
    const rows = storage.ownDevices.list().filter(({ state }) => state !== 'ended');
    const known = new Set<string | null>([
      ...certificates.flatMap((one) => [one.omemoIdentityKey, ...one.vouched.map(({ identityKey }) => identityKey)]),
      ...rows.map(({ omemoIdentityKey }) => omemoIdentityKey),
    ]);
    return certificates.length === 0 || known.has(toHex(device.identityKey));
  }
}

/** As it stands in a certificate; nothing when its key is not known. */
function withKey(device: { readonly deviceId: number; readonly identityKey: string | null }): VouchedDevice[] {
  const identityKey = device.identityKey === null ? undefined : fromHex(device.identityKey);
  return identityKey === undefined ? [] : [{ deviceId: device.deviceId, identityKey }];
}
