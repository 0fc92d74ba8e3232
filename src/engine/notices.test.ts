import { expect, test } from 'vitest';
import { Emitter } from '../base/emitter.ts';
import { followNotices } from './notices.ts';
import { personName } from './person-name.ts';

const clock = { now: () => 0 } as never;

function sessionWith(rows: Map<string, { itemId: string; sphereId: string; state: string }>, isStranger = false) {
  const onItem = new Emitter<string>();
  const onInvitation = new Emitter<string>();
  const onChange = new Emitter<object>();
  const onMoved = new Emitter<object>();
  const onDevices = new Emitter<void>();
  const devices: { device: string; name: string; state: string }[] = [];
  const onFailed = new Emitter<object>();
  const onRefused = new Emitter<object>();
  const sphere = {
    id: 's',
    row: { state: 'joined' },
    state: { name: 'Summer', items: new Map(), forks: new Map(), members: new Map(), devices: new Map() },
  };
  const session = {
    storage: {
      items: { listAll: () => [...rows.values()], get: (id: string) => rows.get(id) },
      contacts: { get: () => undefined },
      invitations: { get: (id: string) => ({ from: 'ana@a.test', name: 'Winter', state: id }) },
      messages: { get: (id: string) => (id === 'line' ? { state: 'failed' } : undefined) },
    },
    outgoing: { onFailed, onRefused },
    items: { onItem },
    devices: { onChange: onDevices, list: () => devices },
    list: { onChange, all: () => [sphere], find: () => sphere },
    source: {},
    people: { contacts: { isStranger: () => isStranger, onMoved }, devices: { onStrange: new Emitter<never>() } },
    directory: { onSwapped: new Emitter<never>() },
    caretaker: { onMended: new Emitter<never>() },
    names: { of: personName },
    ofTwo: { isTaken: () => false },
    onInvitation,
  };
  const told: object[] = [];
  const stop = followNotices(session as never, (notice) => told.push(notice), clock);
  return { told, stop, onMoved, onItem, onInvitation, onChange, onFailed, onRefused, onDevices, devices, sphere };
}

test('an item that has arrived is told once', () => {
  const rows = new Map([['i', { itemId: 'i', sphereId: 's', state: 'downloading' }]]);
  const { told, onItem } = sessionWith(rows);
  rows.set('i', { itemId: 'i', sphereId: 's', state: 'complete' });
  onItem.emit('i');
  onItem.emit('i');
  expect(told).toEqual([{ code: 'item-complete', params: { name: '' } }]);
});

test('a file that was only touched, or whose disk was away, has not arrived anew', () => {
  const rows = new Map([['i', { itemId: 'i', sphereId: 's', state: 'complete' }]]);
  const { told, onItem } = sessionWith(rows);
  for (const state of ['changed', 'complete', 'missing', 'complete']) {
    rows.set('i', { itemId: 'i', sphereId: 's', state });
    onItem.emit('i');
  }
  expect(told).toEqual([{ code: 'file-changed', params: { name: '' } }]);
});

test('somebody whom we follow to another address is told with that address', () => {
  const { told, onMoved } = sessionWith(new Map());
  onMoved.emit({ from: 'ana@a.test', to: 'ana@b.test' });
  expect(told).toEqual([{ code: 'moved', params: { person: 'Ana', address: 'ana@b.test' } }]);
});

test('an item that is complete from the start is no news', () => {
  const rows = new Map([['i', { itemId: 'i', sphereId: 's', state: 'complete' }]]);
  const { told, onItem } = sessionWith(rows);
  onItem.emit('i');
  expect(told).toEqual([]);
});

test('an invitation says who asks and where to, one that is replaced or taken back says nothing', () => {
  const { told, onInvitation } = sessionWith(new Map());
  for (const state of ['replaced', 'open', 'withdrawn']) onInvitation.emit(state);
  expect(told).toEqual([{ code: 'invited', params: { person: 'Ana', sphere: 'Winter' } }]);
});

test('an invitation of a stranger disturbs nobody', () => {
  const { told, onInvitation } = sessionWith(new Map(), true);
  onInvitation.emit('open');
  expect(told).toEqual([]);
});

test('being removed is told, leaving by oneself is not', () => {
  const { told, onChange, sphere } = sessionWith(new Map());
  sphere.row.state = 'removed';
  onChange.emit({ sphere, changes: [] });
  sphere.row.state = 'left';
  onChange.emit({ sphere, changes: [] });
  expect(told).toEqual([{ code: 'removed', params: { sphere: 'Summer' } }]);
});

test('what cannot be sent is told where no line tells it', () => {
  const { told, onFailed } = sessionWith(new Map());
  const entry = { sphereId: 's', state: 'queued', eventId: 'x' };
  const toBen = { ...entry, audience: { kind: 'account', jid: 'ben@b.test' } };
  onFailed.emit({ ...toBen, line: 'come in' });
  onFailed.emit({ ...toBen, line: null });
  onFailed.emit({ ...entry, audience: { kind: 'certified' } });
  onFailed.emit({ ...entry, audience: { kind: 'members' }, eventId: 'line' });
  expect(told).toEqual([
    { code: 'invitation-not-sent', params: { sphere: 'Summer', person: 'Ben' } },
    { code: 'not-sent', params: { sphere: 'Summer' } },
    { code: 'not-sent', params: { sphere: 'Summer' } },
  ]);
});

test('what a room refuses again and again is told once, but that one leaves is not', () => {
  const { told, onRefused, sphere } = sessionWith(new Map());
  const entry = { to: 'room', sphereId: 's', state: 'queued', eventId: 'x', audience: { kind: 'members' }, line: null };
  onRefused.emit(entry);
  onRefused.emit(entry);
  Object.assign(sphere, { lastWord: { id: 'goodbye' } });
  onRefused.emit({ ...entry, to: 'other', eventId: 'goodbye' });
  expect(told).toEqual([{ code: 'not-sent', params: { sphere: 'Summer' } }]);
});

test('a device that was added is told once, until the person has said that it is theirs', () => {
  const { told, onDevices, devices } = sessionWith(new Map());
  devices.push({ device: 'aa', name: 'kitchen', state: 'known' }, { device: 'bb', name: 'laptop', state: 'new' });
  onDevices.emit();
  onDevices.emit();
  expect(told).toEqual([{ code: 'device-added', params: { name: 'laptop' } }]);
});
