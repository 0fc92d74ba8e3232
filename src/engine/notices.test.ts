import { expect, test } from 'vitest';
import { createPerson } from '../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle, Writer } from '../../test/fixtures/protocol/sphere-world.ts';
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
      items: {
        states: () => [...rows.values()].map(({ itemId, state }) => [itemId, state]),
        get: (id: string) => rows.get(id),
      },
      contacts: { get: () => undefined },
      verified: { has: () => false, hasAccount: () => false },
      invitations: { get: (id: string) => ({ from: 'ana@a.test', name: 'Winter', state: id }) },
      messages: { get: (id: string) => (id === 'line' ? { state: 'failed' } : undefined) },
    },
    outgoing: { onFailed, onRefused },
    items: { onItem },
    devices: { onChange: onDevices, list: () => devices },
    list: { onChange, all: () => [sphere], find: () => sphere },
    rooms: { onPresence: new Emitter<never>() },
    source: {},
    people: { contacts: { isStranger: () => isStranger, onMoved }, devices: { onStrange: new Emitter<never>() } },
    directory: { onSwapped: new Emitter<never>() },
    caretaker: { onMended: new Emitter<never>() },
    logs: {
      withheld: { onFound: new Emitter<never>() },
      habits: { onFound: new Emitter<never>() },
      onGathered: new Emitter<never>(),
    },
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

/** As Ana sees it: Ben has a tablet, of which two copies are at work. */
function familyOfTwo() {
  const { owner, sphereId } = foundWorld();
  const ben = createPerson('ben');
  const laptop = admit(owner, ben);
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), sphereId);
  settle(owner, laptop, tablet);
  tablet.certify();
  settle(owner, laptop, tablet);
  const twin = new Writer(tablet.who, sphereId);
  twin.receive(tablet);
  const sayTwice = (): void => {
    tablet.say('one');
    twin.say('two');
    owner.receive(tablet, twin);
  };
  const { log, who } = owner;
  const view = {
    ...{ id: sphereId, row: { state: 'joined' }, log, person: who.author.person },
    get state() {
      return log.state();
    },
    jidOf: (person: typeof ben.person.id) => log.state().accounts.get(person),
  };
  return { owner, laptop, tablet, ben, sayTwice, view };
}

test.each(['ended by its person', 'of somebody who was removed'])(
  'two copies of a computer %s that contradict each other are told, once and with the name',
  (how) => {
    const { owner, laptop, tablet, ben, sayTwice, view } = familyOfTwo();
    const { told, onChange } = sessionWith(new Map());
    if (how === 'ended by its person') laptop.endDevice(tablet);
    else owner.remove(ben.jid);
    owner.receive(laptop);
    onChange.emit({ sphere: view, changes: [] });
    expect(told).toEqual([]);
    for (let round = 0; round < 2; round += 1) {
      sayTwice();
      onChange.emit({ sphere: view, changes: [] });
    }
    expect(view.state.devices.has(tablet.who.author.device.id)).toBe(false);
    expect(told).toEqual([{ code: 'forked', params: { person: 'Ben', sphere: 'Family' } }]);
  },
);

test('a computer that was told to contradict itself is not told once more when it is ended for that', () => {
  const { owner, laptop, tablet, sayTwice, view } = familyOfTwo();
  const { told, onChange } = sessionWith(new Map());
  sayTwice();
  onChange.emit({ sphere: view, changes: [] });
  laptop.endDevice(tablet);
  owner.receive(laptop);
  onChange.emit({ sphere: view, changes: [] });
  expect(told).toEqual([{ code: 'forked', params: { person: 'Ben', sphere: 'Family' } }]);
});

test('a computer of nobody who ever was a member is told nobody of, whatever it says twice', () => {
  const { owner, view } = familyOfTwo();
  const { told, onChange } = sessionWith(new Map());
  const [stranger, twin] = ['mal', 'mal'].map((name) => new Writer(createPerson(name), owner.log.sphereId));
  if (stranger === undefined || twin === undefined) throw new Error('nobody is there');
  stranger.receive(owner);
  stranger.certify();
  twin.receive(stranger);
  stranger.say('one');
  twin.say('two');
  owner.receive(stranger, twin);
  expect(view.state.forks.size).toBe(1);
  onChange.emit({ sphere: view, changes: [] });
  expect(told).toEqual([]);
});
