import { expect, test } from 'vitest';
import type { BareJid, DeviceKey, PersonId } from '../base/id.ts';
import { parseBareJid, parseDeviceKey, parsePersonId } from '../base/id.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { Audience } from './audience.ts';
import type { SphereDevice, SphereMember, SphereState } from './protocol/sphere-state.ts';
import { Recipients } from './recipients.ts';

const ana = parseBareJid('ana@home.test');
const ben = parseBareJid('ben@home.test');
const eve = parseBareJid('eve@home.test');
const person = (fill: string): PersonId => parsePersonId(fill.repeat(32));
const row = { audience: { kind: 'members' } } as unknown as OutboxRow;
const key = (fill: number): string => `05${fill.toString(16).padStart(2, '0').repeat(32)}`;

function device(fill: string, jid: BareJid, owner: PersonId, omemoDeviceId: number, more: Partial<SphereDevice> = {}) {
  const id: DeviceKey = parseDeviceKey(fill.repeat(32));
  const account = { jid, omemoDeviceId, omemoIdentityKey: key(omemoDeviceId) };
  return { device: id, person: owner, certificate: 'c' as never, vouched: [], ...account, ...more };
}

const member = (jid: BareJid, who: PersonId | null, state: SphereMember['state']): SphereMember => ({
  jid,
  person: who,
  role: 'member',
  began: null,
  state,
});

function book(
  members: SphereMember[],
  devices: SphereDevice[],
  published: Partial<Record<BareJid, number[]>> = {},
  toEnd: readonly string[] = [],
  ended: readonly SphereDevice[] = [],
) {
  const state = {
    members: new Map(members.map((one) => [one.jid, one])),
    devices: new Map(devices.map((one) => [one.device, one])),
    moved: new Map(),
  } as unknown as SphereState;
  const ids = (jid: BareJid): Promise<number[]> => Promise.resolve(published[jid] ?? []);
  const directory = { deviceIds: ids, askDeviceIds: ids } as never;
  const get = (name: string, read: (value: unknown) => unknown): unknown =>
    name === 'devices-to-end' ? read(toEnd) : undefined;
  const ownDevices = { list: () => ended.map((one) => ({ ...one, state: 'ended' })) };
  const storage = { settings: { get }, ownDevices, events: { get: () => undefined } } as never;
  const at = { own: { jid: ana, deviceId: 1 }, device: 'a1' as DeviceKey };
  const recipients = new Recipients({ directory, stateOf: () => state, ...at, storage });
  const reached = async (audience: Audience): Promise<string[]> =>
    (await recipients.recipients(row, audience))
      .map(({ jid, deviceId }) => `${jid.slice(0, 3)} ${deviceId}`)
      .toSorted();
  return { recipients, reached };
}

const anas = device('a1', ana, person('aa'), 1);
const bens = device('b1', ben, person('bb'), 2, { vouched: [{ deviceId: 3, identityKey: key(3) }] });
const both = [member(ana, person('aa'), 'joined'), member(ben, person('bb'), 'joined')];

test('lines go to certified and vouched devices of the log, whatever the server lists, and not to ourselves', async () => {
  const { reached } = book(both, [anas, bens], { [ben]: [2, 3, 666], [ana]: [1, 667] });
  expect(await reached({ kind: 'members' })).toEqual(['ben 2', 'ben 3']);
});

test('a computer of ours that is gone for good gets nothing, also before the others can be told', async () => {
  const stolen = device('a2', ana, person('aa'), 4);
  expect(await book(both, [anas, stolen, bens]).reached({ kind: 'members' })).toEqual(['ana 4', 'ben 2', 'ben 3']);
  const { reached } = book(both, [anas, stolen, bens], {}, [stolen.device]);
  expect(await reached({ kind: 'members' })).toEqual(['ben 2', 'ben 3']);
  expect(await reached({ kind: 'certified' })).toEqual(['ben 2']);
  expect(await reached({ kind: 'device', device: stolen.device })).toEqual([]);
});

test('keys go to certified devices only', async () => {
  const { reached } = book(both, [anas, bens], { [ben]: [2, 666] });
  expect(await reached({ kind: 'certified' })).toEqual(['ben 2']);
  expect(await reached({ kind: 'device', device: bens.device })).toEqual(['ben 2']);
  expect(await reached({ kind: 'device', device: parseDeviceKey('99'.repeat(32)) })).toEqual([]);
});

test('somebody invited gets lines on what their account publishes; who left or was removed gets nothing', async () => {
  const members = [...both, member(eve, null, 'invited')];
  const published = { [eve]: [7, 8] };
  expect(await book(members, [anas, bens], published).reached({ kind: 'members' })).toEqual([
    'ben 2',
    'ben 3',
    'eve 7',
    'eve 8',
  ]);
  const gone = [...both, member(eve, person('ee'), 'removed')];
  expect(await book(gone, [anas, bens], published).reached({ kind: 'members' })).toEqual(['ben 2', 'ben 3']);
});

test('a member who certifies a device at somebody else’s account changes nothing there', async () => {
  const members = [...both, member(eve, person('ee'), 'joined')];
  const planted = device('e1', ben, person('ee'), 2, { omemoIdentityKey: key(66) });
  const { reached, recipients } = book(members, [planted, anas, bens], { [eve]: [9] });
  expect(await reached({ kind: 'members' })).toEqual(['ben 2', 'ben 3', 'eve 9']);
  expect(await reached({ kind: 'certified' })).toEqual(['ben 2']);
  expect(recipients.certifiedDevice(row, { jid: ben, deviceId: 2 })).toBe(bens.device);
  const expected = recipients.expectedIdentity(row, { jid: ben, deviceId: 2 });
  expect(Buffer.from(expected ?? []).toString('hex')).toBe(key(2));
});

test('the identity a device must have comes from its certificate or from who vouches for it', () => {
  const { recipients } = book(both, [anas, bens]);
  const identity = (jid: BareJid, deviceId: number): string | undefined => {
    const bytes = recipients.expectedIdentity(row, { jid, deviceId });
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
  };
  expect([identity(ben, 2), identity(ben, 3), identity(ben, 4)]).toEqual([key(2), key(3), undefined]);
  expect(recipients.certifiedDevice(row, { jid: ben, deviceId: 3 })).toBeUndefined();
});

test('nobody’s many devices crowd out the others’', async () => {
  const many = Array.from({ length: 40 }, (_, number) => number + 100);
  const people = Array.from({ length: 6 }, (_, number) => parseBareJid(`guest${number}@home.test`));
  const members = [...both, ...people.map((jid) => member(jid, null, 'invited'))];
  const { recipients } = book(members, [anas, bens], Object.fromEntries(people.map((jid) => [jid, many])));
  const reached = await recipients.recipients(row, { kind: 'members' });
  expect(reached.length).toBeLessThanOrEqual(150);
  expect(reached.filter(({ jid }) => jid === ben)).toHaveLength(2);
});

test('what is told to somebody outside the room reaches the devices of their certificates and no other', async () => {
  const { recipients, reached } = book(
    [member(ana, person('aa'), 'joined'), member(ben, person('bb'), 'removed')],
    [anas],
    {
      [ben]: [2, 666],
    },
  );
  const audience: Audience = { kind: 'known', jid: ben, devices: [{ deviceId: 2, identityKey: key(2) }] };
  expect(await reached(audience)).toEqual(['ben 2']);
  const told = { audience } as unknown as OutboxRow;
  const identity = recipients.expectedIdentity(told, { jid: ben, deviceId: 2 });
  expect(Buffer.from(identity ?? []).toString('hex')).toBe(key(2));
  // A key that fits nothing: whoever shows up there is not written to.
  expect(recipients.expectedIdentity(told, { jid: ben, deviceId: 666 })).toEqual(new Uint8Array());
});

test('what was written for a computer of ours that was taken away meanwhile reaches only the others', async () => {
  const audience: Audience = {
    ...{ kind: 'known', jid: ana },
    devices: [4, 5].map((deviceId) => ({ deviceId, identityKey: key(deviceId) })),
  };
  const stolen = device('a2', ana, person('aa'), 4);
  expect(await book(both, [anas, bens]).reached(audience)).toEqual(['ana 4', 'ana 5']);
  expect(await book(both, [anas, bens], {}, [], [stolen]).reached(audience)).toEqual(['ana 5']);
});
