import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FakeSwarm } from '../../test/fixtures/fake-swarm.ts';
import { mediaOfNothing } from '../../test/fixtures/media-of-nothing.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
import type { SphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { ShareJobView } from '../contract/views.ts';
import { readIdentity } from '../torrent/file-identity.ts';
import { ShareService } from './share-service.ts';

async function alone() {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const sphere = await world.sphere(ana);
  const phases: string[] = [];
  ana.session.shares.onJob.on(({ phase, name }) => {
    if (phases.at(-1) !== `${name} ${phase}`) phases.push(`${name} ${phase}`);
  });
  return { world, ana, sphere, phases };
}

async function file(person: SimPerson, name: string, content = name): Promise<string> {
  const path = join(person.folder.folder, name);
  await writeFile(path, content);
  return path;
}

const jobOf = ({ session }: SimPerson, name: string): ShareJobView => {
  const job = session.shares.jobs().find((one) => one.name === name);
  if (job === undefined) throw new Error(`no share of ${name}`);
  return job;
};

test('a share shows its way from looking over hashing to done, and seeds from where the file lies', async () => {
  const { ana, sphere, phases } = await alone();
  const path = await file(ana, 'beach.mp4', 'x'.repeat(100_000));
  const [itemId] = await ana.session.shares.share({ sphereId: sphere.id, paths: [path], plain: false }, noSignal);
  expect(phases).toEqual(['looking', 'preparing', 'sending', 'done'].map((phase) => `beach.mp4 ${phase}`));
  expect(jobOf(ana, 'beach.mp4')).toMatchObject({ itemId, bytesDone: 100_000, bytesTotal: 100_000, error: null });
  const row = ana.session.items.row(itemId ?? ('' as never));
  expect(row).toMatchObject({ state: 'sharing', path, wanted: true, bytesHave: 100_000 });
  const spec = ana.session.swarm.torrents.get(row.infoHash);
  expect(spec?.segments[0]).toMatchObject({ kind: 'file', path, root: null });
  const [name] = await readdir(sphere.row.folder);
  expect(await readlink(join(sphere.row.folder, name ?? ''))).toBe(path);
});

test('one path that fails is told and keeps nothing from the others', async () => {
  const { ana, sphere } = await alone();
  const paths = [join(ana.folder.folder, 'not there.mp4'), await file(ana, 'there.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, noSignal);
  await expect(shared).rejects.toMatchObject({ code: 'file-missing' });
  expect(jobOf(ana, 'not there.mp4')).toMatchObject({ phase: 'failed', error: { code: 'file-missing' } });
  expect(jobOf(ana, 'there.mp4')).toMatchObject({ phase: 'done' });
  expect(ana.session.storage.items.list(sphere.id)).toHaveLength(1);
});

test('a share cancelled while it is hashed leaves no item, no event and no key', async () => {
  const { ana, sphere } = await alone();
  const hashing = Promise.withResolvers<void>();
  ana.session.swarm.onHash = (signal) => {
    hashing.resolve();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const events = ana.session.eventIds();
  const paths = [await file(ana, 'beach.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, noSignal);
  await hashing.promise;
  ana.session.shares.cancel(jobOf(ana, 'beach.mp4').id);
  await expect(shared).rejects.toMatchObject({ code: 'cancelled' });
  expect(jobOf(ana, 'beach.mp4')).toMatchObject({ phase: 'cancelled', error: { code: 'cancelled' } });
  expect(ana.session.eventIds()).toEqual(events);
  expect(ana.session.storage.items.listAll()).toEqual([]);
});

test('a share whose sphere was left while it was hashed fails and leaves nothing that waits for ever', async () => {
  const { world, ana, sphere } = await alone();
  const hashing = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  ana.session.swarm.onHash = () => {
    hashing.resolve();
    return goOn.promise;
  };
  const paths = [await file(ana, 'beach.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, noSignal);
  shared.catch(() => undefined);
  await hashing.promise;
  await ana.session.members.leave(sphere.id, noSignal);
  goOn.resolve();
  await expect(shared).rejects.toMatchObject({ code: 'not-a-member' });
  await world.quiet();
  expect(jobOf(ana, 'beach.mp4')).toMatchObject({ phase: 'failed', itemId: null });
  expect(ana.session.storage.items.listAll()).toEqual([]);
  expect(ana.session.storage.outbox.list('queued')).toEqual([]);
  expect(await readdir(sphere.row.folder)).toEqual([]);
});

test('a share nobody waits for any more is not even begun', async () => {
  const { ana, sphere } = await alone();
  const gone = new AbortController();
  gone.abort(new Error('the page was closed'));
  const paths = [await file(ana, 'beach.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, gone.signal);
  await expect(shared).rejects.toMatchObject({ code: 'cancelled' });
  expect(ana.session.storage.items.listAll()).toEqual([]);
});

test('signing out cancels what is being hashed', async () => {
  const { ana, sphere } = await alone();
  const hashing = Promise.withResolvers<void>();
  ana.session.swarm.onHash = (signal) => {
    hashing.resolve();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const paths = [await file(ana, 'beach.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, noSignal);
  shared.catch(() => undefined);
  await hashing.promise;
  await ana.stop();
  await expect(shared).rejects.toMatchObject({ code: 'cancelled' });
});

test('links inside a folder are told and not followed', async () => {
  const { ana, sphere } = await alone();
  const folder = join(ana.folder.folder, 'holiday');
  await mkdir(folder);
  await writeFile(join(folder, 'a.jpg'), 'a');
  await symlink('/etc/passwd', join(folder, 'link.txt'));
  await ana.session.shares.share({ sphereId: sphere.id, paths: [folder], plain: false }, noSignal);
  expect(jobOf(ana, 'holiday')).toMatchObject({ phase: 'done', bytesTotal: 1 });
  expect(jobOf(ana, 'holiday').leftOut).toEqual([{ reason: 'link', count: 1, names: ['link.txt'] }]);
});

test('pipes and empty folders are told, clutter of file managers is not', async () => {
  const { ana, sphere } = await alone();
  const folder = join(ana.folder.folder, 'holiday');
  await mkdir(join(folder, 'nothing'), { recursive: true });
  await writeFile(join(folder, 'a.jpg'), 'a');
  await writeFile(join(folder, '.DS_Store'), 'x');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const [itemId] = await ana.session.shares.share({ sphereId: sphere.id, paths: [folder], plain: false }, noSignal);
  expect(ana.session.shares.leftOut(itemId ?? ('' as never))).toEqual([
    { reason: 'empty', count: 1, names: ['nothing'] },
    { reason: 'special', count: 1, names: ['pipe'] },
  ]);
});

test('a share goes on when the page that began it is closed', async () => {
  const { ana, sphere } = await alone();
  const hashing = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  ana.session.swarm.onHash = () => {
    hashing.resolve();
    return goOn.promise;
  };
  const gone = new AbortController();
  const paths = [await file(ana, 'beach.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, gone.signal);
  await hashing.promise;
  gone.abort(new Error('the page was closed'));
  await expect(shared).rejects.toThrow('the page was closed');
  goOn.resolve();
  await expect.poll(() => jobOf(ana, 'beach.mp4').phase).toBe('done');
  expect(ana.session.storage.items.list(sphere.id)).toHaveLength(1);
});

/** Ends the program while a file is hashed, after the digest of its first piece was told; the first run's request. */
async function stoppedHalfway(ana: SimPerson, sphereId: SphereId, path: string) {
  const { session } = ana;
  const hashing = Promise.withResolvers<void>();
  session.swarm.halfway = new Uint8Array(20).fill(5);
  session.swarm.onHash = (signal) => {
    hashing.resolve();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  session.shares.share({ sphereId, paths: [path], plain: false }, noSignal).catch(() => undefined);
  await hashing.promise;
  await ana.stop();
  return session.swarm.hashed[0];
}

test('a share under way when the program ends goes on at the next start, behind what was hashed', async () => {
  const { ana, sphere } = await alone();
  const path = await file(ana, 'beach.mp4', 'x'.repeat(400_000));
  const { folder } = sphere.row;
  const first = await stoppedHalfway(ana, sphere.id, path);
  expect(await readdir(folder)).toEqual(['beach.mp4']);
  await ana.start();
  await expect.poll(() => jobOf(ana, 'beach.mp4').phase).toBe('done');
  const { swarm, storage } = ana.session;
  expect(first).toMatchObject({ known: new Uint8Array() });
  expect(swarm.hashed).toMatchObject([{ mediaKey: first?.mediaKey, known: new Uint8Array(20).fill(5) }]);
  expect(storage.items.list(sphere.id)).toMatchObject([{ state: 'sharing', path }]);
  expect(storage.shareJobs.list()).toEqual([]);
  expect(await readdir(folder)).toEqual(['beach.mp4']);
});

test('a file that changed while the program was away is hashed from its start, under a new key', async () => {
  const { ana, sphere } = await alone();
  const path = await file(ana, 'beach.mp4', 'x'.repeat(400_000));
  const first = await stoppedHalfway(ana, sphere.id, path);
  await writeFile(path, 'y'.repeat(400_000));
  await ana.start();
  await expect.poll(() => jobOf(ana, 'beach.mp4').phase).toBe('done');
  const [second] = ana.session.swarm.hashed;
  expect(second?.known).toEqual(new Uint8Array());
  expect(second?.mediaKey).not.toEqual(first?.mediaKey);
});

test('a share that was cancelled, or failed, is not begun again at the next start', async () => {
  const { ana, sphere } = await alone();
  ana.session.swarm.onHash = () => Promise.reject(new AppError('disk-error', 'unreadable'));
  const paths = [await file(ana, 'beach.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, noSignal);
  await expect(shared).rejects.toMatchObject({ code: 'disk-error' });
  await ana.stop();
  await ana.start();
  expect(ana.session.shares.jobs()).toEqual([]);
});

test('a share during which the swarm process dies goes on in the next one, behind what was hashed', async () => {
  const { world, ana, sphere } = await alone();
  const { session } = ana;
  session.swarm.halfway = new Uint8Array(20).fill(5);
  session.swarm.onHash = () => {
    session.swarm.die();
    return new Promise(() => undefined);
  };
  const input = { sphereId: sphere.id, paths: [await file(ana, 'beach.mp4')], plain: false };
  const shared = session.shares.share(input, noSignal);
  await expect.poll(() => session.feed.running).toBe(false);
  expect(jobOf(ana, 'beach.mp4')).toMatchObject({ phase: 'preparing', error: null });
  const next = new FakeSwarm();
  session.scope.spawn('next swarm', (signal) => session.feed.attach(next.calls, signal));
  await world.clock.advance(1000);
  const [itemId] = await shared;
  expect(jobOf(ana, 'beach.mp4')).toMatchObject({ phase: 'done', itemId });
  expect(next.torrents.size).toBe(1);
  expect(next.hashed).toMatchObject([{ mediaKey: session.swarm.hashed[0]?.mediaKey, known: { length: 20 } }]);
});

/** Shares as on a computer where files cannot be symbolic links. */
function withHardLinks(world: SimWorld, { session }: SimPerson): ShareService {
  const { storage, list, feed } = session;
  return new ShareService({
    ...{ storage, list, feed, media: mediaOfNothing, clock: world.clock, random: systemRandom, log: silentLogger },
    activate: (itemId, signal) => session.items.activate(itemId, signal),
    letGo: (itemId) => session.items.edits.letGo(itemId),
    platform: 'win32',
  });
}

test('a hard link in the sphere folder does not make the shared file look changed', async () => {
  const { world, ana, sphere } = await alone();
  const path = await file(ana, 'beach.mp4');
  const before = await readIdentity(path);
  // Coarse clocks of file systems tell two changes apart after this.
  await sleep(20);
  const input = { sphereId: sphere.id, paths: [path], plain: false };
  const [itemId] = await withHardLinks(world, ana).share(input, noSignal);
  const [segment] = ana.session.items.row(itemId ?? ('' as never)).layout ?? [];
  const now = await readIdentity(path);
  expect(now.ctimeNs).not.toBe(before.ctimeNs);
  expect(segment).toMatchObject({ kind: 'file', identity: now });
  expect(await readIdentity(join(sphere.row.folder, 'beach.mp4'))).toEqual(now);
});

test.each(['linux', 'win32'] as const)(
  'a share that is cancelled takes its link away and not the file (%s)',
  async (os) => {
    const { world, ana, sphere } = await alone();
    const hashing = Promise.withResolvers<void>();
    ana.session.swarm.onHash = (signal) => {
      hashing.resolve();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const path = await file(ana, 'beach.mp4');
    const shares = os === 'win32' ? withHardLinks(world, ana) : ana.session.shares;
    const shared = shares.share({ sphereId: sphere.id, paths: [path], plain: false }, noSignal);
    await hashing.promise;
    expect(await readdir(sphere.row.folder)).toEqual(['beach.mp4']);
    shares.cancel(shares.jobs()[0]?.id ?? '');
    await expect(shared).rejects.toMatchObject({ code: 'cancelled' });
    expect(await readdir(sphere.row.folder)).toEqual([]);
    expect(await readFile(path, 'utf8')).toBe('beach.mp4');
  },
);

test('a plain file is not shared a second time, and its second link does not stay', async () => {
  const { ana, sphere } = await alone();
  const input = { sphereId: sphere.id, paths: [await file(ana, 'public.mp4')], plain: true };
  const pieces = new Uint8Array(20).fill(7);
  ana.session.swarm.pieces = pieces;
  await ana.session.shares.share(input, noSignal);
  await expect(ana.session.shares.share(input, noSignal)).rejects.toMatchObject({ code: 'conflict' });
  expect(ana.session.storage.items.list(sphere.id)).toHaveLength(1);
  expect(await readdir(sphere.row.folder)).toEqual(['public.mp4']);
});

test('a folder without a file is refused in words', async () => {
  const { ana, sphere } = await alone();
  const folder = join(ana.folder.folder, 'Empty');
  await mkdir(join(folder, 'inner'), { recursive: true });
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths: [folder], plain: false }, noSignal);
  await expect(shared).rejects.toMatchObject({ code: 'bad-input', message: 'there is no file in it to share' });
  expect(ana.session.storage.items.list(sphere.id)).toEqual([]);
});

test('a plain item has no key and is marked as plain', async () => {
  const { ana, sphere } = await alone();
  const paths = [await file(ana, 'public.mp4')];
  const [itemId] = await ana.session.shares.share({ sphereId: sphere.id, paths, plain: true }, noSignal);
  const event = ana.session.source.event(sphere, itemId ?? ('' as never));
  expect(event.body).toMatchObject({ plain: true, keyCheck: null, epoch: null });
  expect(ana.session.source.mediaKey(sphere, event)).toBeNull();
});

test('an item that cannot be kept is not announced either', async () => {
  const { ana, sphere } = await alone();
  ana.session.storage.items.put = () => {
    throw new AppError('disk-full', 'the disk has no room for the database');
  };
  const events = ana.session.eventIds();
  const paths = [await file(ana, 'beach.mp4')];
  const shared = ana.session.shares.share({ sphereId: sphere.id, paths, plain: false }, noSignal);
  await expect(shared).rejects.toMatchObject({ code: 'disk-full' });
  expect(ana.session.eventIds()).toEqual(events);
  expect(ana.session.storage.outbox.list('queued')).toEqual([]);
  // The next event stands where the lost one would have stood.
  const id = ana.session.messages.say(sphere.id, 'and now?');
  expect(sphere.log.get(id)?.header.previous).toBe(events.at(-1));
});

test('shares of long ago are forgotten', async () => {
  const { ana, sphere } = await alone();
  const paths = Array.from({ length: 60 }, (_, number) => join(ana.folder.folder, `${number} is not there`));
  for (const path of paths) {
    const shared = ana.session.shares.share({ sphereId: sphere.id, paths: [path], plain: false }, noSignal);
    await expect(shared).rejects.toMatchObject({ code: 'file-missing' });
  }
  expect(ana.session.shares.jobs().length).toBeLessThanOrEqual(51);
  expect(() => ana.session.shares.cancel('no such job')).toThrow(/no such share/);
});
