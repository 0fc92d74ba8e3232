import { expect, test } from 'vitest';
import { fakeItem, fakeSphere, ME } from '../../../test/fixtures/fake-views.ts';
import type { AppEvent, Snapshot } from '../../contract/views.ts';
import { applyEvent, applySnapshot, emptyWorld } from './world-state.ts';

const sea = fakeSphere('Sea');
const hills = fakeSphere('Hills');
const film = fakeItem(sea, 'film.mp4', 'video');
const song = fakeItem(hills, 'song.flac', 'audio');

function loaded() {
  const world = emptyWorld();
  const snapshot: Snapshot = {
    seq: 1,
    version: '1',
    account: { jid: ME, state: 'online', error: null },
    spheres: [sea, hills],
    invitations: [],
    people: [],
    pictures: [{ jid: ME, url: '/preview/portrait-1' }],
    items: [film, song],
    jobs: [],
    swarm: world.swarm,
    limits: { up: 0, down: 0 },
  };
  applySnapshot(world, snapshot);
  return { world, snapshot };
}

test('a snapshot replaces what was known before', () => {
  const { world, snapshot } = loaded();
  applySnapshot(world, { ...snapshot, spheres: [hills], items: [] });
  expect(Array.from(world.spheres.keys())).toEqual([hills.id]);
  expect(world.items.size).toBe(0);
  expect(world.loaded).toBe(true);
});

test('an event applied twice gives the same state', () => {
  const { world } = loaded();
  const event: AppEvent = { kind: 'item', item: { ...film, bytesHave: 5, state: 'downloading' } };
  applyEvent(world, event);
  applyEvent(world, event);
  expect(world.items.size).toBe(2);
  expect(world.items.get(film.id)).toMatchObject({ bytesHave: 5, state: 'downloading' });
});

test('an item that moves keeps the files that were told before', () => {
  const { world } = loaded();
  const { files: _told, ...moved } = { ...film, bytesHave: 5 };
  applyEvent(world, { kind: 'item-progress', item: moved });
  expect(world.items.get(film.id)).toEqual({ ...film, bytesHave: 5 });
  applyEvent(world, { kind: 'item-removed', itemId: film.id });
  applyEvent(world, { kind: 'item-progress', item: moved });
  expect(world.items.has(film.id)).toBe(false);
});

test('a sphere that is gone takes its items along and no others', () => {
  const { world } = loaded();
  applyEvent(world, { kind: 'sphere-removed', sphereId: sea.id });
  expect(Array.from(world.spheres.keys())).toEqual([hills.id]);
  expect(Array.from(world.items.keys())).toEqual([song.id]);
});

test('signing out, limits and an answered invitation are taken over', () => {
  const { world } = loaded();
  const invitation = { id: 'i', sphereId: sea.id, sphere: 'Sea', from: ME, fromStranger: false, ofTwo: false, atMs: 1 };
  applyEvent(world, { kind: 'invitation', invitation });
  applyEvent(world, { kind: 'limits', limits: { up: 1, down: 2 } });
  expect(world.invitations.size).toBe(1);
  applyEvent(world, { kind: 'invitation-removed', id: 'i' });
  applyEvent(world, { kind: 'account', account: null });
  expect(world.invitations.size).toBe(0);
  expect(world.limits).toEqual({ up: 1, down: 2 });
  expect(world.account).toBeNull();
});

test('an item that was taken off the list is shown among the removed ones only, until it is put back', () => {
  const { world, snapshot } = loaded();
  const removed = { ...film, undoUntilMs: 1 };
  applyEvent(world, { kind: 'item', item: removed });
  expect([world.items.has(film.id), world.removed.has(film.id)]).toEqual([false, true]);
  applySnapshot(world, { ...snapshot, items: [removed, song] });
  expect([world.items.has(film.id), world.removed.has(film.id)]).toEqual([false, true]);
  applyEvent(world, { kind: 'item', item: film });
  expect([world.items.has(film.id), world.removed.has(film.id)]).toEqual([true, false]);
});

test('what somebody looks like is shown until they take it away, or somebody else signs in', () => {
  const { world, snapshot } = loaded();
  expect(world.pictures.get(ME)).toBe('/preview/portrait-1');
  applyEvent(world, { kind: 'picture', jid: ME, url: '/preview/portrait-2' });
  expect(world.pictures.get(ME)).toBe('/preview/portrait-2');
  applyEvent(world, { kind: 'picture', jid: ME, url: null });
  expect(world.pictures.size).toBe(0);
  applySnapshot(world, { ...snapshot, pictures: [] });
  expect(world.pictures.size).toBe(0);
});

test('a sphere that was given a picture has it at once, and loses it when it is taken away', () => {
  const { world } = loaded();
  const pictureUrl = '/preview/sphere-1';
  applyEvent(world, { kind: 'sphere', sphere: { ...sea, pictureUrl } });
  expect([sea, hills].map(({ id }) => world.spheres.get(id)?.pictureUrl)).toEqual([pictureUrl, null]);
  applyEvent(world, { kind: 'sphere', sphere: { ...sea, pictureUrl: null } });
  expect(world.spheres.get(sea.id)?.pictureUrl).toBeNull();
});
