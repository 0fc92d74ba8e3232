import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import type { DoctorReport } from '../../src/contract/doctor.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { LabWorld } from './lab-world.ts';
import { whyNoLab } from './network-lab.ts';

const reason = (await whyNoLab()) ?? missingPrograms('prosody', 'openssl', 'turnserver');
if (reason !== undefined) console.warn(`SKIPPED: the connection check in homes: ${reason}`);

const PATIENCE_MS = 90_000;

/** The last report of a check. */
async function check(person: Person): Promise<DoctorReport> {
  return await person.ask(async (client) => {
    let last: DoctorReport | undefined;
    for await (const report of await client.doctor.check({})) last = report;
    if (last === undefined) throw new Error('the check told nothing');
    return last;
  });
}

const inFilms = ({ devices }: DoctorReport) => devices.find(({ sphere }) => sphere === 'Films');
const codes = ({ findings }: DoctorReport): string[] => findings.map(({ code }) => code);

async function until(what: string, look: () => Promise<DoctorReport>, isSo: (report: DoctorReport) => boolean) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const report = await look();
    if (isSo(report)) return report;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}: ${JSON.stringify(report, null, 1)}`);
    await delay(500);
  }
}

describe.skipIf(reason !== undefined)('the connection check', () => {
  let world: LabWorld;
  let letters = '';
  beforeAll(async () => {
    world = await LabWorld.start({
      homes: { a: 'upnp-v2', b: 'symmetric', c: 'lie', d: 'tcp' },
      people: { open: 'a1', closed: 'b1', fooled: 'c1', narrow: 'd1' },
    });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.each([
    ['open', 'router-unconfirmed', { via: 'upnp' }],
    ['closed', 'router-closed', {}],
  ])('says of the router of a home that is %s what it does', async (name, code, params) => {
    const isFound = (report: DoctorReport): boolean => !codes(report).includes('router-searching');
    const report = await until('what the router does', () => check(world.person(name)), isFound);
    expect(report.findings).toContainEqual({ area: 'router', code, params, severity: expect.any(String) });
    const others = ['server-reached', 'helper-relay', 'clock-right', 'ipv6-none', 'nearby-on'];
    expect(codes(report)).toEqual(expect.arrayContaining(others));
    expect(report.facts.server).toMatchObject({ tls: 'TLSv1.3', features: { helpers: true } });
  });

  test('finds out with nothing shared that a router lies, and that another one lets members in', async () => {
    const [open, closed, fooled, narrow] = ['open', 'closed', 'fooled', 'narrow'].map((name) => world.person(name));
    if (!open || !closed || !fooled || !narrow) throw new Error('nobody there');
    [letters] = await Promise.all([world.sphere('Letters', fooled, narrow), world.sphere('Doors', open, closed)]);
    const found = (person: Person, code: string) =>
      until(
        code,
        () => check(person),
        (report) => codes(report).includes(code),
      );
    const [lied] = await Promise.all([found(fooled, 'router-lied'), found(open, 'router-open')]);
    expect(lied.facts.network?.ports).toContainEqual(expect.objectContaining({ purpose: 'data', state: 'lied' }));
  });

  // The server names its relay, which is asked over UDP as every relay is.
  test.concurrent('says in a home that lets only TCP out that the relay was not reached, and what to do', async () => {
    const [fooled, narrow] = [world.person('fooled'), world.person('narrow')];
    const sphere = letters;
    const file = path.join(world.lab.folder, 'letter.bin');
    await writeFile(file, randomBytes(1024));
    const item = await fooled.share(sphere, file);
    await narrow.item(sphere, item);
    const wanted = { sphereId: parseSphereId(sphere), itemId: parseItemId(item), wait: false };
    await narrow.ask((client) => client.items.get(wanted));
    const report = await until(
      'that there is no way',
      () => check(narrow),
      ({ devices }) => devices[0]?.state === 'unreached',
    );
    expect(report.devices[0]).toMatchObject({ path: null, severity: 'problem', advice: 'open-router' });
    expect(report.devices[0]?.because).toEqual(expect.arrayContaining(['through-blocked', 'relay-silent']));
    expect(report.devices[0]?.because).toContain('door-silent');
  });

  test.concurrent('says why a member is reached by a relay, and why a router that lies is not called', async () => {
    const [fooled, closed] = [world.person('fooled'), world.person('closed')];
    const sphere = await world.sphere('Films', fooled, closed);
    const file = path.join(world.lab.folder, 'film.bin');
    await writeFile(file, randomBytes(96 * 1024 * 1024));
    const item = await fooled.share(sphere, file);
    await closed.item(sphere, item);
    await closed.ask((client) => client.transfers.setLimits({ down: 1_000_000 }));
    const wanted = { sphereId: parseSphereId(sphere), itemId: parseItemId(item), wait: false };
    await closed.ask((client) => client.items.get(wanted));
    const relayed = await until(
      'a relay',
      () => check(closed),
      (report) => inFilms(report)?.path === 'turn' && inFilms(report)?.because.includes('not-tried') === false,
    );
    expect(inFilms(relayed)).toMatchObject({ state: 'connected', severity: 'warning', advice: 'open-router' });
    expect(inFilms(relayed)?.because).toEqual(['nearby-silent', 'ipv6-ours', 'door-silent', 'through-blocked']);
  });
});
