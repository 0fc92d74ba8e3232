import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import { XmppClient } from '../../src/xmpp/client.ts';
import { Room } from '../../src/xmpp/room.ts';
import { fetchAffiliates, setAffiliation as changeAffiliation } from '../../src/xmpp/xep/0045-muc.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld, passwordOf } from '../fixtures/engine-world.ts';
import { eventually } from '../fixtures/engine-process.ts';
import { codeOf, loginAt, machine, never } from '../fixtures/xmpp-accounts.ts';

let world: EngineWorld;
let anna: Person;
let ben: Person;
let carl: Person;
let dora: Person;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben', 'carl', 'dora']);
  [anna, ben, carl, dora] = [world.person('anna'), world.person('ben'), world.person('carl'), world.person('dora')];
});

afterAll(async () => await world[Symbol.asyncDispose]());

async function makeFile(name: string, bytes: number): Promise<string> {
  const path = join(world.folder, name);
  await writeFile(path, randomBytes(bytes));
  return path;
}

const roleOf = async (person: Person, sphere: string, jid: string): Promise<string | undefined> =>
  (await person.members(sphere)).find((member) => member.jid === jid)?.state;

describe('somebody who is no member', () => {
  test('is refused by the server at the door of the room, and their engine hears nothing', async () => {
    const sphere = await world.sphere('Closed', anna, ben);
    const { room: address } = (await anna.spheres()).find(({ id }) => id === sphere) ?? { room: '' };
    await using client = new XmppClient({
      ...machine,
      login: await loginAt(world.prosody, 'dora', passwordOf('dora')),
    });
    await client.connect(never);
    const room = new Room({ client, address: parseBareJid(address), nick: 'x', clock: systemClock, log: silentLogger });
    expect(await codeOf(room.join(AbortSignal.timeout(10_000)))).toBe('not-a-member');

    await anna.share(sphere, await makeFile('secret.bin', 1000));
    await anna.say(sphere, 'only for two');
    await ben.sees(sphere, 'only for two');
    expect(await dora.spheres()).toEqual([]);
    expect(await dora.run('sphere', 'invitations')).toEqual({ invitations: [] });
  });
});

describe('a removed member', () => {
  test('gets no item, no text, no key and no bytes of what follows', async () => {
    const sphere = await world.sphere('Shrinking', anna, ben, carl);
    const before = await anna.share(sphere, await makeFile('before.bin', 400_000));
    await carl.item(sphere, before);
    await ben.item(sphere, before);

    await anna.run('sphere', 'remove', sphere, carl.jid);
    await eventually('the removal is known', async () =>
      (await roleOf(ben, sphere, carl.jid)) === 'joined' ? undefined : true,
    );
    const path = await makeFile('after.bin', 400_000);
    const after = await anna.share(sphere, path);
    await anna.say(sphere, 'carl is gone');
    await ben.item(sphere, after);
    expect(await readFile(await ben.get(sphere, after))).toEqual(await readFile(path));

    await eventually('carl knows', async () =>
      (await carl.spheres()).find(({ id }) => id === sphere)?.state === 'removed' ? true : undefined,
    );
    expect((await carl.items(sphere)).map(({ id }) => id)).toEqual([before]);
    expect(await carl.texts(sphere)).toEqual([]);
    const [ours, theirs] = await Promise.all([anna.log(sphere), carl.log(sphere)]);
    const newest = ours.findLast(({ type }) => type === 'epoch');
    expect(newest?.body).toMatchObject({ number: 1, reason: 'removal' });
    expect(theirs.map(({ id }) => id)).not.toContain(newest?.id);
    expect(await carl.failure('share', sphere, path)).toBe('not-a-member');
    expect(await carl.failure('say', sphere, 'let me in')).toBe('not-a-member');
    // Listed before the removal, asked for after it.
    expect(await carl.failure('get', sphere, before, '--wait')).toBe('not-a-member');
    const held = (await carl.items(sphere)).find(({ id }) => id === before);
    expect(held?.bytesHave).toBe(0);
  });

  test('comes back by a new invitation and gets what follows', async () => {
    const sphere = (await anna.spheres()).find(({ name }) => name === 'Shrinking')?.id ?? '';
    await world.bringIn(sphere, 'Shrinking', anna, carl);
    const path = await makeFile('again.bin', 300_000);
    const item = await anna.share(sphere, path);
    await carl.item(sphere, item);
    expect(await readFile(await carl.get(sphere, item))).toEqual(await readFile(path));
    await anna.say(sphere, 'welcome back');
    await carl.sees(sphere, 'welcome back');
  });
});

describe('a member whom the server does not let in', () => {
  const stateOf = async (person: Person, sphere: string): Promise<string | undefined> =>
    (await person.spheres()).find(({ id }) => id === sphere)?.state;
  const becomes = (person: Person, sphere: string, state: string): Promise<true> =>
    eventually(`${person.name} ${state}`, async () => ((await stateOf(person, sphere)) === state ? true : undefined));

  /** Behind the backs of all engines, with the rights that the owner's account has at the server. */
  async function setAffiliation(sphere: string, affiliation: 'none' | 'outcast', ...people: Person[]): Promise<void> {
    const room = parseBareJid((await ben.spheres()).find(({ id }) => id === sphere)?.room ?? '');
    const login = await loginAt(world.prosody, 'anna', passwordOf('anna'));
    await using client = new XmppClient({ ...machine, login });
    await client.connect(never);
    for (const { jid } of people) await changeAffiliation(client, room, { jid: parseBareJid(jid), affiliation });
  }

  test('stays a member: what they write waits over a restart and arrives once the owner’s engine has let them in', async () => {
    const sphere = await world.sphere('Locked', anna, ben, carl);
    const file = await makeFile('kept.bin', 300_000);
    const item = await ben.share(sphere, file);
    await carl.item(sphere, item);
    await anna.engine.stop();
    await setAffiliation(sphere, 'none', ben);
    await becomes(ben, sphere, 'refused');
    await ben.say(sphere, 'can you hear me?');
    await ben.engine.stop();
    await ben.restart();
    await becomes(ben, sphere, 'refused');
    expect((await ben.messages(sphere)).at(-1)).toMatchObject({ text: 'can you hear me?', state: 'queued' });
    expect((await ben.items(sphere)).map(({ id, state }) => [id, state])).toEqual([[item, 'sharing']]);

    await anna.restart();
    await becomes(ben, sphere, 'joined');
    await anna.sees(sphere, 'can you hear me?');
    await carl.sees(sphere, 'can you hear me?');
    expect(await readFile(await carl.get(sphere, item))).toEqual(await readFile(file));
  });

  test('is let in by the owner’s engine at once when it is there, banned or not', async () => {
    const sphere = await world.sphere('Mended', anna, ben, carl);
    await setAffiliation(sphere, 'outcast', ben, carl);
    await ben.say(sphere, 'here I am');
    await anna.sees(sphere, 'here I am');
    await becomes(carl, sphere, 'joined');
    await carl.sees(sphere, 'here I am');
    expect(await stateOf(ben, sphere)).toBe('joined');
  });

  test('is let in once more when the server has lost the room: the owner’s engine makes it again, as closed as before', async () => {
    const sphere = await world.sphere('Rebuilt', anna, ben);
    await anna.say(sphere, 'before');
    await ben.sees(sphere, 'before');
    const { room } = (await anna.spheres()).find(({ id }) => id === sphere) ?? { room: '' };
    await world.prosody.pause();
    const kept = await readdir(world.prosody.dataDir, { recursive: true });
    const files = kept.filter((path) => path.includes(room.slice(0, room.indexOf('@'))));
    expect(files.length).toBeGreaterThan(0);
    for (const path of files) await rm(join(world.prosody.dataDir, path), { recursive: true, force: true });
    await anna.engine.stop();
    await world.prosody.restart();
    // Whoever comes first and does not own the room must not be in its owner's way.
    await becomes(ben, sphere, 'refused');
    await anna.restart();
    await becomes(anna, sphere, 'joined');
    await ben.say(sphere, 'after');
    await anna.sees(sphere, 'after');
    await using client = new XmppClient({
      ...machine,
      login: await loginAt(world.prosody, 'dora', passwordOf('dora')),
    });
    await client.connect(never);
    const stranger = new Room({ client, address: parseBareJid(room), nick: 'x', ...machine });
    expect(await codeOf(stranger.join(AbortSignal.timeout(10_000)))).toBe('not-a-member');
  });

  test('can leave all the same: the owner’s engine tells the others and changes the key', async () => {
    const sphere = await world.sphere('Away', anna, ben, carl);
    await anna.engine.stop();
    await setAffiliation(sphere, 'none', ben);
    await becomes(ben, sphere, 'refused');
    await ben.run('sphere', 'leave', sphere);
    expect(await stateOf(ben, sphere)).toBe('left');
    await anna.restart();
    await eventually('carl knows', async () => ((await roleOf(carl, sphere, ben.jid)) === 'joined' ? undefined : true));
    const isRenewed = async (): Promise<true | undefined> =>
      (await carl.log(sphere)).filter(({ type }) => type === 'epoch').length === 2 ? true : undefined;
    await eventually('a new epoch', isRenewed);
    expect((await ben.log(sphere)).filter(({ type }) => type === 'epoch')).toHaveLength(1);
  });
});

describe('leaving and declining', () => {
  test('whoever leaves gets nothing more, and the others change the key', async () => {
    const sphere = await world.sphere('Brief', anna, ben);
    await ben.run('sphere', 'leave', sphere);
    await eventually('a new epoch', async () =>
      (await anna.log(sphere)).filter(({ type }) => type === 'epoch').length === 2 ? true : undefined,
    );
    await anna.share(sphere, await makeFile('later.bin', 1000));
    await anna.sync();
    expect(await ben.items(sphere)).toEqual([]);
    expect((await ben.log(sphere)).filter(({ type }) => type === 'epoch')).toHaveLength(1);
    expect(await ben.failure('say', sphere, 'one more thing')).toBe('not-a-member');
    expect(await roleOf(anna, sphere, ben.jid)).not.toBe('joined');
  });

  test('a declined invitation is gone; a second one can be accepted', async () => {
    const { id: sphere } = await anna.create('Second thoughts');
    await anna.invite(sphere, ben.jid);
    await ben.run('sphere', 'decline', await ben.invitation('Second thoughts'));
    expect(await ben.run('sphere', 'invitations')).toEqual({ invitations: [] });
    expect((await ben.spheres()).map(({ id }) => id)).not.toContain(sphere);
    await expect.poll(() => roleOf(anna, sphere, ben.jid), { timeout: 30_000 }).toBe('declined');
    await world.bringIn(sphere, 'Second thoughts', anna, ben);
    expect(await ben.members(sphere)).toEqual(
      expect.arrayContaining([expect.objectContaining({ jid: anna.jid, state: 'joined' })]),
    );
  });

  test('an invitation that is taken back disappears at the invited person', async () => {
    const { id: sphere } = await anna.create('Taken back');
    await anna.invite(sphere, ben.jid);
    await ben.invitation('Taken back');
    await anna.run('sphere', 'remove', sphere, ben.jid);
    await expect.poll(() => ben.invitations(), { timeout: 30_000 }).toEqual([]);
  });

  test('an address that nobody has is told at once', async () => {
    const { id: sphere } = await anna.create('Wrong address');
    const nobody = anna.jid.replace('anna', 'nobody');
    expect(await anna.run('sphere', 'invite', sphere, nobody)).toMatchObject({ trouble: 'nobody-there' });
    // Somebody who never used any program with this account is there all the same.
    await world.prosody.register('emma', 'secret');
    const emma = anna.jid.replace('anna', 'emma');
    expect(await anna.run('sphere', 'invite', sphere, emma)).toMatchObject({ trouble: null });
    expect(await anna.run('sphere', 'invite', sphere, ben.jid)).toMatchObject({ trouble: null });
  });

  test('a sphere that was left is off the list when asked, and comes back by a new invitation', async () => {
    const sphere = await world.sphere('Forgotten', anna, ben);
    await anna.say(sphere, 'before');
    await ben.sees(sphere, 'before');
    expect(await ben.failure('sphere', 'forget', sphere)).toBe('conflict');
    await ben.run('sphere', 'leave', sphere);
    await ben.run('sphere', 'forget', sphere);
    expect((await ben.spheres()).map(({ id }) => id)).not.toContain(sphere);
    await world.bringIn(sphere, 'Forgotten', anna, ben);
    await ben.sees(sphere, 'before');
  });

  test('an owner may not remove themselves, a member removes nobody', async () => {
    const sphere = await world.sphere('Rules', anna, ben);
    expect(await anna.failure('sphere', 'remove', sphere, anna.jid)).toBe('not-allowed');
    expect(await ben.failure('sphere', 'remove', sphere, anna.jid)).toBe('not-allowed');
    expect(await ben.failure('sphere', 'invite', sphere, carl.jid)).toBe('not-allowed');
    expect(await anna.failure('sphere', 'invite', sphere, ben.jid)).toBe('conflict');
  });
});

describe('a sphere whose owner goes', () => {
  test('is handed over: log and server agree on the new owner, who admits people after the old one has left', async () => {
    const sphere = await world.sphere('Handed over', anna, ben);
    await anna.run('sphere', 'owner', sphere, 'offer', ben.jid);
    await eventually('the offer', async () =>
      (await ben.spheres()).find(({ id }) => id === sphere)?.offeredTo === ben.jid ? true : undefined,
    );
    await ben.run('sphere', 'owner', sphere, 'accept');
    const isOwner = async () => (await anna.members(sphere)).find(({ jid }) => jid === ben.jid)?.role === 'owner';
    await expect.poll(isOwner, { timeout: 30_000 }).toBe(true);
    await anna.run('sphere', 'leave', sphere);
    await eventually('anna is out', async () =>
      (await roleOf(ben, sphere, anna.jid)) === 'joined' ? undefined : true,
    );
    await world.bringIn(sphere, 'Handed over', ben, carl);
    await carl.say(sphere, 'let in by the new owner');
    await ben.sees(sphere, 'let in by the new owner');
    const room = parseBareJid((await ben.spheres()).find(({ id }) => id === sphere)?.room ?? '');
    await using client = new XmppClient({ ...machine, login: await loginAt(world.prosody, 'ben', passwordOf('ben')) });
    await client.connect(never);
    const owners = async (): Promise<string[]> =>
      (await fetchAffiliates(client, room, 'owner', never)).map(({ jid }) => jid);
    await expect.poll(owners, { timeout: 30_000 }).toEqual([ben.jid]);
  });

  test('and never comes back is held by an organiser: they invite and remove, and the server’s room says the same as the log', async () => {
    const sphere = await world.sphere('Governed', anna, ben, carl);
    const room = parseBareJid((await ben.spheres()).find(({ id }) => id === sphere)?.room ?? '');
    await anna.run('sphere', 'role', sphere, ben.jid, 'admin');
    await using client = new XmppClient({ ...machine, login: await loginAt(world.prosody, 'ben', passwordOf('ben')) });
    await client.connect(never);
    const listed = async (as: 'owner' | 'admin' | 'member'): Promise<string[]> =>
      (await fetchAffiliates(client, room, as, never)).map(({ jid }) => jid).toSorted();
    await eventually('the room has a second owner', async () =>
      (await codeOf(listed('owner'))) === 'no error' && (await listed('owner')).length === 2 ? true : undefined,
    );
    await anna.engine.stop();

    await world.bringIn(sphere, 'Governed', ben, dora);
    await ben.run('sphere', 'remove', sphere, carl.jid);
    await eventually('carl knows', async () =>
      (await carl.spheres()).find(({ id }) => id === sphere)?.state === 'removed' ? true : undefined,
    );
    const path = await makeFile('governed.bin', 200_000);
    const item = await ben.share(sphere, path);
    await dora.item(sphere, item);
    expect(await readFile(await dora.get(sphere, item))).toEqual(await readFile(path));
    await dora.say(sphere, 'let in by the organiser');
    await ben.sees(sphere, 'let in by the organiser');
    expect(await carl.items(sphere)).toEqual([]);
    const lists = () => Promise.all([listed('owner'), listed('admin'), listed('member')]);
    await expect.poll(lists, { timeout: 30_000 }).toEqual([[anna.jid, ben.jid].toSorted(), [], [dora.jid]]);
    await anna.restart();
    await anna.sees(sphere, 'let in by the organiser');
  });

  test('without anybody who decides goes on in a new one, which holds everything that was shared', async () => {
    const sphere = await world.sphere('Orphaned', anna, ben, carl);
    const paths = await Promise.all(['album.bin', 'film.bin', 'carls.bin'].map((name) => makeFile(name, 300_000)));
    const shared: string[] = [];
    for (const [index, path] of paths.entries()) shared.push(await (index === 2 ? carl : anna).share(sphere, path));
    for (const item of shared) await ben.item(sphere, item);
    for (const item of shared.slice(0, 2)) await ben.get(sphere, item);
    await carl.item(sphere, shared[1] ?? '');
    await anna.engine.stop();
    const { sphere: next } = await ben.run<{ sphere: { id: string } }>('sphere', 'continue', sphere);
    await carl.join(await carl.invitation('Orphaned'));
    const carried = await eventually('all that was shared', async () => {
      const items = await carl.items(next.id);
      return items.length >= shared.length ? items : undefined;
    });
    expect(carried.map(({ name }) => name).toSorted()).toEqual(['album.bin', 'carls.bin', 'film.bin']);
    const idAt = (person: Person, name: string): Promise<string> =>
      eventually(
        `${name} at ${person.name}`,
        async () => (await person.items(next.id)).find((item) => item.name === name)?.id,
      );
    expect(await readFile(await carl.get(next.id, await idAt(carl, 'album.bin')))).toEqual(
      await readFile(paths[0] ?? ''),
    );
    // What only its sharer had is got from them there, too.
    expect(await readFile(await ben.get(next.id, await idAt(ben, 'carls.bin')))).toEqual(
      await readFile(paths[2] ?? ''),
    );
    await anna.restart();
  });
});
