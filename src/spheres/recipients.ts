import { fromHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, DeviceKey } from '../base/id.ts';
import type { DeviceAddress } from '../omemo/types.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Audience, KnownDevice } from './audience.ts';
import { parseAudience } from './audience.ts';
import type { DeviceDirectory } from './device-directory.ts';
import { devicesToEnd } from './devices-to-end.ts';
import { parseEvent } from './protocol/event.ts';
import type { SphereDevice, SphereState } from './protocol/sphere-state.ts';

/** Who may read an entry of the outbox, at this moment. */
export interface RecipientBook {
  recipients(row: OutboxRow, audience: Audience): Promise<readonly DeviceAddress[]>;
  /** The identity key a device must have; undefined when nothing certifies it. */
  expectedIdentity(row: OutboxRow, address: DeviceAddress): Uint8Array | undefined;
  /** The member's certified device at this address. */
  certifiedDevice(row: OutboxRow, address: DeviceAddress): DeviceKey | undefined;
}

interface RecipientsDeps {
  readonly directory: DeviceDirectory;
  /** The state of a sphere that is here; undefined otherwise. */
  readonly stateOf: (row: OutboxRow) => SphereState | undefined;
  readonly own: DeviceAddress;
  /** Ours, which gets nothing, whatever account it is at. */
  readonly device: DeviceKey;
  readonly storage: Pick<Storage, 'settings' | 'ownDevices' | 'events'>;
}

/**
 * Which OMEMO devices a message is encrypted for. Members are taken from the log, never from the server:
 * a device that only the server lists gets lines of people who use no certified device, and nothing else.
 */
export class Recipients implements RecipientBook {
  readonly #directory: DeviceDirectory;
  readonly #stateOf: RecipientsDeps['stateOf'];
  readonly #own: DeviceAddress;
  readonly #device: DeviceKey;
  readonly #storage: RecipientsDeps['storage'];

  constructor(deps: RecipientsDeps) {
    this.#directory = deps.directory;
    this.#stateOf = deps.stateOf;
    this.#own = deps.own;
    this.#device = deps.device;
    this.#storage = deps.storage;
  }

  async recipients(row: OutboxRow, audience: Audience): Promise<readonly DeviceAddress[]> {
    const addresses = await this.#resolve(row, audience);
    const here = this.#stateOf(row)?.devices.get(this.#device);
    // Where we are about to move to we are the same device.
    const own = [this.#own, ...(here === undefined ? [] : addressOf(here))];
    return addresses.filter(
      (address) => !own.some(({ jid, deviceId }) => address.jid === jid && address.deviceId === deviceId),
    );
  }

  expectedIdentity(row: OutboxRow, address: DeviceAddress): Uint8Array | undefined {
    const audience = parseAudience(row.audience);
    if (audience.kind === 'known') {
      const known = audience.devices.find(({ deviceId }) => deviceId === address.deviceId);
      return fromHex(known?.identityKey ?? '');
    }
    const state = this.#stateOf(row);
    if (state === undefined) return undefined;
    for (const device of devicesOf(state)) {
      if (!isAt(state, device, address.jid)) continue;
      if (device.omemoDeviceId === address.deviceId) return fromHex(device.omemoIdentityKey ?? '');
      const vouched = device.vouched.find((other) => other.deviceId === address.deviceId);
      if (vouched !== undefined) return fromHex(vouched.identityKey);
    }
    return undefined;
  }

  certifiedDevice(row: OutboxRow, address: DeviceAddress): DeviceKey | undefined {
    const state = this.#stateOf(row);
    if (state === undefined) return undefined;
    const isIt = (device: SphereDevice): boolean => device.omemoDeviceId === address.deviceId;
    return devicesOf(state).find((device) => isIt(device) && isAt(state, device, address.jid))?.device;
  }

  async #resolve(row: OutboxRow, audience: Audience): Promise<DeviceAddress[]> {
    if (audience.kind === 'account') {
      return fairly([addressesOf(audience.jid, await this.#directory.askDeviceIds(audience.jid))]);
    }
    if (audience.kind === 'known') {
      const devices = audience.jid === this.#own.jid ? this.#stillOurs(row, audience.devices) : audience.devices;
      return devices.map(({ deviceId }) => ({ jid: audience.jid, deviceId }));
    }
    const state = this.#stateOf(row);
    if (state === undefined) throw new AppError('not-found', 'the sphere is gone');
    // What its person says is gone for good gets nothing, also before everybody can be told.
    const toEnd = devicesToEnd(this.#storage);
    const devices = devicesOf(state).filter(({ device }) => !toEnd.has(device));
    switch (audience.kind) {
      case 'members':
        return this.#ofMembers(state, devices, toEnd);
      case 'certified':
        return fairly([...Map.groupBy(await this.#reached(state, devices), ({ jid }) => jid).values()]);
      case 'device':
        return await this.#reached(
          state,
          devices.filter(({ device }) => device === audience.device),
        );
    }
  }

  /** One that its person took away after this was written for it gets nothing but the word of its end. */
  #stillOurs({ eventId }: OutboxRow, devices: readonly KnownDevice[]): readonly KnownDevice[] {
    const { ownDevices, events } = this.#storage;
    const toEnd = devicesToEnd(this.#storage);
    const gone = ownDevices.list().filter(({ device, state }) => state === 'ended' || toEnd.has(device));
    const said = events.get(eventId);
    const end = said?.type === 'device-end' ? parseEvent(said.bytes, said.signature) : undefined;
    const told = end?.type === 'device-end' ? end.body.device : undefined;
    return devices.filter(({ identityKey }) => {
      return !gone.some((one) => one.omemoIdentityKey === identityKey && one.device !== told);
    });
  }

  async #reached(state: SphereState, devices: readonly SphereDevice[]): Promise<DeviceAddress[]> {
    return (await Promise.all(devices.map((device) => this.#whereItIs(state, device)))).flat();
  }

  /** A device whose person has said to move, and that is not at the new account yet, still reads at the one before. */
  async #whereItIs({ moved }: SphereState, device: SphereDevice): Promise<DeviceAddress[]> {
    const before = [...moved].findLast(([, now]) => now === device.jid)?.[0];
    const at = addressOf(device);
    const [address] = at;
    if (before === undefined || address === undefined) return at;
    const { jid, deviceId } = address;
    try {
      if ((await this.#directory.deviceIds(jid)).includes(deviceId)) return at;
      // It may have come a moment ago.
      const isThere = (await this.#directory.askDeviceIds(jid)).includes(deviceId);
      return isThere ? at : [{ jid: before, deviceId }];
    } catch {
      // Where the new server cannot be asked nothing says that it is not there.
      return at;
    }
  }

  async #ofMembers(
    state: SphereState,
    devices: readonly SphereDevice[],
    toEnd: ReadonlySet<DeviceKey>,
  ): Promise<DeviceAddress[]> {
    // Others of its person may have vouched for it before.
    const barred = devicesOf(state).filter(({ device }) => toEnd.has(device));
    const isBarred = ({ jid, deviceId }: DeviceAddress): boolean =>
      barred.some((device) => device.jid === jid && device.omemoDeviceId === deviceId);
    const accounts: DeviceAddress[][] = [];
    for (const member of state.members.values()) {
      if (member.state !== 'joined' && member.state !== 'invited') continue;
      const certified = devices.filter(({ person }) => person === member.person);
      const reached = await this.#reached(state, certified);
      if (certified.length > 0) {
        accounts.push([...reached, ...certified.flatMap(vouchedBy).filter((address) => !isBarred(address))]);
      } else accounts.push(addressesOf(member.jid, await this.#directory.deviceIds(member.jid)));
    }
    return fairly(accounts);
  }
}

/** The devices at which a member can be reached outside the room, but for one of them. */
export function knownDevices(state: SphereState, jid: BareJid, except?: DeviceKey): KnownDevice[] {
  return devicesOf(state)
    .filter((device) => device.jid === jid && device.device !== except)
    .flatMap(({ omemoDeviceId: deviceId, omemoIdentityKey: identityKey }) =>
      deviceId === null || identityKey === null ? [] : [{ deviceId, identityKey }],
    );
}

/** One device of a member, to be written to outside the room; undefined when it has no account of its person's. */
export function knownDevice(state: SphereState, device: DeviceKey): Extract<Audience, { kind: 'known' }> | undefined {
  const found = devicesOf(state).find((entry) => entry.device === device);
  if (found === undefined || found.jid === null) return undefined;
  const { jid, omemoDeviceId: deviceId, omemoIdentityKey: identityKey } = found;
  if (deviceId === null || identityKey === null) return undefined;
  return { kind: 'known', jid, devices: [{ deviceId, identityKey }] };
}

/** What one stanza can carry keys for, and what the encryption takes of one account. */
const MAX_RECIPIENTS = 150;
const MAX_PER_ACCOUNT = 50;

/** Everybody's first device, then everybody's second, and so on: nobody's many devices crowd out the others'. */
function fairly(accounts: readonly (readonly DeviceAddress[])[]): DeviceAddress[] {
  const ranked = accounts.flatMap((addresses) =>
    addresses.slice(0, MAX_PER_ACCOUNT).map((address, rank) => ({ address, rank })),
  );
  return ranked
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, MAX_RECIPIENTS)
    .map(({ address }) => address);
}

/** Whether a device reads at an account: its own, or one that its person has said to move away from. */
function isAt({ moved }: SphereState, { jid }: SphereDevice, account: BareJid): boolean {
  return jid === account || (jid !== null && moved.get(account) === jid);
}

function addressesOf(jid: BareJid, deviceIds: readonly number[]): DeviceAddress[] {
  return deviceIds.map((deviceId) => ({ jid, deviceId }));
}

/**
 * Members' certified devices, each at its person's own account: a certificate may name any account. At the one before they moved
 * there may still be computers of theirs.
 */
function devicesOf({ devices, members, moved }: SphereState): SphereDevice[] {
  return [...devices.values()].filter(
    ({ jid, person }) => jid !== null && members.get(moved.get(jid) ?? jid)?.person === person,
  );
}

function addressOf(device: SphereDevice): DeviceAddress[] {
  if (device.jid === null || device.omemoDeviceId === null) return [];
  return [{ jid: device.jid, deviceId: device.omemoDeviceId }];
}

function vouchedBy({ jid, vouched }: SphereDevice): DeviceAddress[] {
  return jid === null ? [] : vouched.map(({ deviceId }) => ({ jid, deviceId }));
}
