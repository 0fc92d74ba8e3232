import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { generateSigningKey } from './protocol/keys.ts';
import { sealRun } from './protocol/run.ts';
import { SingleRun } from './single-run.ts';

const { signal } = new AbortController();

/** A server that keeps what it is given, and knows who is connected. */
function serverOf() {
  const at = new Map<string, SingleRun>();
  return { kept: undefined as Uint8Array | undefined, fails: undefined as AppError | undefined, at, addresses: 0 };
}

/** What lies on one disk. */
class Disk {
  readonly kept: Map<string, unknown>;
  constructor(kept: Iterable<[string, unknown]> = []) {
    this.kept = new Map(kept);
  }
  copy(): Disk {
    return new Disk(structuredClone([...this.kept]));
  }
  readonly storage = {
    settings: {
      get: (key: string, parse: (value: unknown) => never) =>
        this.kept.has(key) ? parse(this.kept.get(key)) : undefined,
      set: (key: string, value: unknown) => void this.kept.set(key, value),
    } as never,
    transaction: <T>(work: () => T): T => work(),
  };
}

const device = generateSigningKey<DeviceKey>(systemRandom);

/** A program started on a disk, and what it is told at its first sign-in. */
async function start(server: ReturnType<typeof serverOf>, disk: Disk) {
  server.addresses += 1;
  const address = `ana@a.test/${server.addresses}`;
  const clock = new VirtualClock();
  const failing = <T>(value: T): Promise<T> =>
    server.fails === undefined ? Promise.resolve(value) : Promise.reject(server.fails);
  const run = new SingleRun({
    ...{ storage: disk.storage, device, clock, random: systemRandom, log: silentLogger },
    place: {
      address,
      read: () => failing(server.kept),
      write: async (bytes) => void (server.kept = await failing(bytes)),
      ask: (asked, challenge) => {
        const there = server.at.get(asked);
        return there === undefined
          ? Promise.reject(new AppError('not-found', 'nobody'))
          : Promise.resolve(there.sign(challenge));
      },
    },
  });
  server.at.set(address, run);
  const isOnly = await run.begin(signal);
  return { run, isOnly, address, stop: () => server.at.delete(address) };
}

test('the same profile goes on over restarts, however it ended', async () => {
  const [server, disk] = [serverOf(), new Disk()];
  for (let restart = 0; restart < 3; restart += 1) {
    const { isOnly, stop } = await start(server, disk);
    expect(isOnly).toBe(true);
    stop();
  }
});

test('of a profile and its copy the one that signs in later is the copy', async () => {
  const [server, disk] = [serverOf(), new Disk()];
  (await start(server, disk)).stop();
  const image = disk.copy();
  const original = await start(server, disk);
  const copy = await start(server, image);
  expect([original.isOnly, copy.isOnly]).toEqual([true, false]);
  expect(await original.run.isOurs(signal)).toBe(true);
});

test('a copy of a profile that is at work is told by the one at work', async () => {
  const [server, disk] = [serverOf(), new Disk()];
  const original = await start(server, disk);
  const copy = await start(server, disk.copy());
  expect(copy.isOnly).toBe(false);
  expect(await original.run.isOurs(signal)).toBe(true);
});

test('who could not be asked finds the copy that went on meanwhile', async () => {
  const [server, disk] = [serverOf(), new Disk()];
  const original = await start(server, disk);
  const image = disk.copy();
  original.stop();
  expect((await start(server, image)).isOnly).toBe(true);
  expect(await original.run.isOurs(signal)).toBe(false);
});

test('a crash between disk and server makes no new device of a healthy one', async () => {
  const [server, disk] = [serverOf(), new Disk()];
  (await start(server, disk)).stop();
  server.fails = new AppError('disconnected', 'cut');
  await expect(start(server, disk)).rejects.toMatchObject({ code: 'disconnected' });
  const before = server.kept;
  server.fails = undefined;
  const { isOnly, stop } = await start(server, disk);
  stop();
  expect([isOnly, server.kept === before]).toEqual([true, false]);
});

test('a server that deletes, rolls back, invents or refuses makes nobody a new device', async () => {
  const [server, disk] = [serverOf(), new Disk()];
  (await start(server, disk)).stop();
  const old = server.kept;
  (await start(server, disk)).stop();
  const forger = generateSigningKey<DeviceKey>(systemRandom);
  const invented = sealRun(forger, { number: 99, nonce: systemRandom(16), address: 'ana@a.test/x' });
  for (const kept of [undefined, old, invented, systemRandom(80)]) {
    server.kept = kept;
    const { isOnly, stop } = await start(server, disk);
    stop();
    expect(isOnly).toBe(true);
  }
  server.fails = new AppError('not-allowed', 'no nodes for you');
  expect((await start(server, disk)).isOnly).toBe(true);
});

test('a server that sends our own question back to us gets no sign of life for it', async () => {
  const [server, disk] = [serverOf(), new Disk()];
  const first = await start(server, disk);
  const asked: Uint8Array[] = [];
  const noting = { sign: (challenge: Uint8Array) => void asked.push(challenge) };
  server.at.set(first.address, noting as unknown as SingleRun);
  const { run, isOnly } = await start(server, disk);
  expect([isOnly, asked.length]).toEqual([true, 1]);
  expect(asked.map((challenge) => run.sign(challenge))).toEqual([undefined]);
  expect(run.sign(systemRandom(32))).toHaveLength(64);
});
