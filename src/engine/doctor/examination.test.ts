import { expect, test } from 'vitest';
import { fakeFacts, fakeNetwork, fakePort, fakeServer } from '../../../test/fixtures/fake-doctor.ts';
import { VirtualClock } from '../../../test/fixtures/virtual-clock.ts';
import { Emitter } from '../../base/emitter.ts';
import { createLogger } from '../../base/log.ts';
import type { DiskFacts, DoctorFacts, DoctorReport, ServerFacts } from '../../contract/doctor.ts';
import type { DoctorSources } from './examination.ts';
import { Examination } from './examination.ts';

class FakeSources implements DoctorSources {
  readonly onChange = new Emitter<void>();
  readonly server = Promise.withResolvers<ServerFacts | null>();
  readonly disks = Promise.withResolvers<DiskFacts[]>();
  asked = 0;
  facts: DoctorFacts = fakeFacts();

  account = () => this.facts.account;
  transfers = () => this.facts.transfers;
  network = () => this.facts.network;
  devices = () => this.facts.devices;
  lookAtDisks = () => this.disks.promise;
  askServer = () => {
    this.asked += 1;
    return this.server.promise;
  };

  change(more: Partial<DoctorFacts>): void {
    this.facts = { ...this.facts, ...more };
    this.onChange.emit();
  }
}

function examine(follow = false) {
  const clock = new VirtualClock();
  const log = createLogger({ clock, sink: () => undefined, module: 'test' });
  const sources = new FakeSources();
  const end = new AbortController();
  const reports = new Examination({ sources, version: '1.2.3', clock, log }).reports({ follow }, end.signal);
  const next = async (): Promise<DoctorReport | undefined> => {
    const result = reports.next();
    // The clock goes on before anybody waits for the end.
    result.catch(() => undefined);
    for (let step = 0; step < 5; step += 1) await clock.advance(100);
    return (await result).value ?? undefined;
  };
  return { clock, sources, next, end };
}

test('a check tells what it knows at once, and ends when everything is known', async () => {
  const { sources, next } = examine();
  const first = await next();
  expect(first).toMatchObject({ version: '1.2.3', running: ['server', 'disk', 'clock'] });
  expect(first?.findings.map(({ area }) => area)).toEqual(['transfers', 'router', 'ipv6', 'nearby', 'helpers']);
  sources.server.resolve(fakeServer());
  expect((await next())?.running).toEqual(['disk']);
  sources.disks.resolve(fakeFacts().disks);
  const last = await next();
  expect(last?.running).toEqual([]);
  expect(last?.findings).toHaveLength(8);
  expect(await next()).toBeUndefined();
  expect(sources.onChange.listenerCount).toBe(0);
});

test('a router that is still looked for holds the check up for twelve seconds at most', async () => {
  const { clock, sources, next } = examine();
  sources.facts = fakeFacts({ network: fakeNetwork({ ports: [fakePort({ state: 'searching', via: null })] }) });
  sources.server.resolve(fakeServer());
  sources.disks.resolve([]);
  await next();
  expect((await next())?.running).toEqual(['router', 'helpers']);
  const last = next();
  await clock.advance(12_000);
  expect(await last).toMatchObject({ running: [] });
  expect(await next()).toBeUndefined();
});

test('with follow it goes on telling what changes, until it is told to end', async () => {
  const { sources, next, end } = examine(true);
  sources.server.resolve(fakeServer());
  sources.disks.resolve([]);
  await next();
  await next();
  sources.change({ network: fakeNetwork({ ports: [fakePort({ state: 'closed', via: null })] }) });
  expect((await next())?.findings.map(({ code }) => code)).toContain('router-closed');
  end.abort();
  await expect(next()).rejects.toMatchObject({ name: 'AbortError' });
  expect(sources.onChange.listenerCount).toBe(0);
});

test('a new connection to the server is asked anew', async () => {
  const { sources, next } = examine(true);
  const { account } = sources.facts;
  sources.server.resolve(fakeServer());
  sources.disks.resolve([]);
  await next();
  await next();
  if (account === null) throw new Error('nobody is signed in');
  sources.change({ account: { ...account, state: 'offline', error: 'disconnected' } });
  expect((await next())?.findings[0]?.code).toBe('server-away');
  sources.change({ account });
  expect((await next())?.running).toEqual(['server', 'clock']);
  expect((await next())?.findings[0]?.code).toBe('server-reached');
  expect(sources.asked).toBe(2);
});
