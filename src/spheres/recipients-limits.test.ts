import { expect, test } from 'vitest';
import type { BareJid, DeviceKey, PersonId } from '../base/id.ts';
import { parseBareJid, parseDeviceKey, parsePersonId } from '../base/id.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { DeviceDirectory } from './device-directory.ts';
import type { SphereDevice, SphereMember, SphereState } from './protocol/sphere-state.ts';
import { Recipients } from './recipients.ts';

const own = { jid: parseBareJid('ana@a.test'), deviceId: 1 };
const row = {} as OutboxRow;

/** A person with so many certified devices, each of which vouches for others. */
function person(name: string, devices: number, vouched: number): { member: SphereMember; devices: SphereDevice[] } {
  const jid: BareJid = parseBareJid(`${name}@a.test`);
  const hex = Buffer.from(name.padEnd(4)).toString('hex');
  const id: PersonId = parsePersonId(hex.padEnd(64, '0'));
  const keyOf = (index: number): DeviceKey =>
    parseDeviceKey((hex + index.toString(16).padStart(4, '0')).padEnd(64, '0'));
  return {
    member: { jid, person: id, role: 'member', state: 'joined', began: null },
    devices: Array.from({ length: devices }, (_, index) => ({
      device: keyOf(index),
      person: id,
      certificate: '' as SphereDevice['certificate'],
      jid,
      omemoDeviceId: 100 + index,
      omemoIdentityKey: null,
      vouched: Array.from({ length: vouched }, (__, other) => ({
        deviceId: 1000 * (index + 1) + other,
        identityKey: '',
      })),
    })),
  };
}

function recipientsIn(people: readonly ReturnType<typeof person>[], listed: readonly number[] = []) {
  const state = {
    members: new Map(people.map(({ member }) => [member.jid, member])),
    devices: new Map(people.flatMap(({ devices }) => devices).map((device) => [device.device, device])),
    moved: new Map(),
  } as unknown as SphereState;
  const directory = { deviceIds: async () => listed, askDeviceIds: async () => listed } as unknown as DeviceDirectory;
  const storage = { settings: { get: () => undefined } } as never;
  return new Recipients({ directory, stateOf: () => state, own, device: 'own' as DeviceKey, storage });
}

test('a member with devices without end keeps nobody else from getting the message', async () => {
  const people = [person('eve', 16, 16), ...Array.from({ length: 20 }, (_, index) => person(`p${index}`, 3, 0))];
  const book = recipientsIn(people);
  const reached = await book.recipients(row, { kind: 'members' });
  const ofEve = reached.filter(({ jid }) => jid === 'eve@a.test');
  expect(reached.length - ofEve.length).toBe(60);
  // Her certified devices come before those she vouches for.
  expect(ofEve.slice(0, 16).map(({ deviceId }) => deviceId)).toEqual(Array.from({ length: 16 }, (_, i) => 100 + i));
  expect(ofEve.length).toBe(50);
});

test('no message is made for more devices than one stanza has room for', async () => {
  const people = Array.from({ length: 50 }, (_, index) => person(`p${index}`, 4, 0));
  const reached = await recipientsIn(people).recipients(row, { kind: 'certified' });
  expect(reached.length).toBe(150);
  expect(new Set(reached.map(({ jid }) => jid)).size).toBe(50);
});

test('an invited account that lists devices without end is still invited', async () => {
  const listed = Array.from({ length: 80 }, (_, index) => index + 1);
  const jid = parseBareJid('ben@b.test');
  expect(await recipientsIn([], listed).recipients(row, { kind: 'account', jid })).toHaveLength(50);
});
