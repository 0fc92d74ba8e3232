import { equalBytes, fromHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, DeviceKey } from '../base/id.ts';
import type { DeviceAddress } from '../omemo/types.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { Audience } from './audience.ts';
import type { DeviceDirectory } from './device-directory.ts';
import type { RecipientBook } from './outgoing.ts';
import type { SphereDevice, SphereState } from './protocol/sphere-state.ts';

interface RecipientsDeps {
  readonly directory: DeviceDirectory;
  /** The state of a sphere that is here; undefined otherwise. */
  readonly stateOf: (row: OutboxRow) => SphereState | undefined;
  readonly own: DeviceAddress;
}

/**
 * Which OMEMO devices a message is encrypted for. Members are taken from the log, never from the server:
 * a device that only the server lists gets lines of people who use no certified device, and nothing else.
 */
export class Recipients implements RecipientBook {
  readonly #directory: DeviceDirectory;
  readonly #stateOf: RecipientsDeps['stateOf'];
  readonly #own: DeviceAddress;

  constructor(deps: RecipientsDeps) {
    this.#directory = deps.directory;
    this.#stateOf = deps.stateOf;
    this.#own = deps.own;
  }

  async recipients(row: OutboxRow, audience: Audience): Promise<readonly DeviceAddress[]> {
    const addresses = await this.#resolve(row, audience);
    const { jid, deviceId } = this.#own;
    return addresses.filter((address) => address.jid !== jid || address.deviceId !== deviceId);
  }

  expectedIdentity(row: OutboxRow, address: DeviceAddress): Uint8Array | undefined {
    const state = this.#stateOf(row);
    if (state === undefined) return undefined;
    for (const device of state.devices.values()) {
      if (device.jid !== address.jid) continue;
      if (device.omemoDeviceId === address.deviceId) return fromHex(device.omemoIdentityKey ?? '');
      const vouched = device.vouched.find((other) => other.deviceId === address.deviceId);
      if (vouched !== undefined) return fromHex(vouched.identityKey);
    }
    return undefined;
  }

  async #resolve(row: OutboxRow, audience: Audience): Promise<DeviceAddress[]> {
    if (audience.kind === 'account') return addressesOf(audience.jid, await this.#directory.askDeviceIds(audience.jid));
    const state = this.#stateOf(row);
    if (state === undefined) throw new AppError('not-found', 'the sphere is gone');
    switch (audience.kind) {
      case 'members':
        return this.#ofMembers(state);
      case 'certified':
        return [...state.devices.values()].flatMap(addressOf);
      case 'device': {
        const device = state.devices.get(audience.device);
        return device === undefined ? [] : addressOf(device);
      }
    }
  }

  async #ofMembers(state: SphereState): Promise<DeviceAddress[]> {
    const addresses: DeviceAddress[] = [];
    for (const member of state.members.values()) {
      if (member.state !== 'joined' && member.state !== 'invited') continue;
      const certified = [...state.devices.values()].filter((device) => device.jid === member.jid);
      if (certified.length > 0) addresses.push(...certified.flatMap(lineAddresses));
      else addresses.push(...addressesOf(member.jid, await this.#directory.deviceIds(member.jid)));
    }
    return addresses;
  }
}

function addressesOf(jid: BareJid, deviceIds: readonly number[]): DeviceAddress[] {
  return deviceIds.map((deviceId) => ({ jid, deviceId }));
}

/** The certified device that an OMEMO sender is; undefined when nothing certifies it. */
export function certifiedDevice(
  state: SphereState,
  sender: DeviceAddress,
  identityKey: Uint8Array,
): DeviceKey | undefined {
  for (const device of state.devices.values()) {
    if (device.jid !== sender.jid || device.omemoDeviceId !== sender.deviceId) continue;
    if (equalBytes(fromHex(device.omemoIdentityKey ?? '') ?? new Uint8Array(), identityKey)) return device.device;
  }
  return undefined;
}

function addressOf(device: SphereDevice): DeviceAddress[] {
  if (device.jid === null || device.omemoDeviceId === null) return [];
  return [{ jid: device.jid, deviceId: device.omemoDeviceId }];
}

function lineAddresses(device: SphereDevice): DeviceAddress[] {
  const { jid } = device;
  if (jid === null) return [];
  return [...addressOf(device), ...device.vouched.map(({ deviceId }) => ({ jid, deviceId }))];
}
