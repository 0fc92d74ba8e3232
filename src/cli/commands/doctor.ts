import type { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import type { DoctorReport, ServerFacts } from '../../contract/doctor.ts';
import { linesToAdd, SERVER_ABILITIES } from '../../contract/server-abilities.ts';
import { defineCommand } from '../command.ts';
import { doctorShape } from '../doctor-shape.ts';
import { deviceInWords, findingInWords } from '../doctor-words.ts';
import { table } from '../words.ts';

type Printed = z.output<typeof doctorShape>;

export const doctorCommands = [
  defineCommand({
    name: 'doctor',
    summary:
      'Checks server, router, network, disk and clock, and tells what the server can do, and how each device of a member is reached and why not better.',
    shape: doctorShape,
    async run({ connect, signal, verbose, io }) {
      using engine = await connect();
      let last: DoctorReport | undefined;
      for await (const report of await engine.client.doctor.check({}, { signal })) {
        last = report;
        if (verbose && report.running.length > 0) io.stderr(`looking at ${report.running.join(', ')}\n`);
      }
      if (last === undefined) throw new AppError('internal', 'the check told nothing');
      return printed(last);
    },
    describe,
  }),
];

function printed({ version, atMs, findings, devices, facts }: DoctorReport): z.input<typeof doctorShape> {
  const { account, server, network, disks } = facts;
  const domain = account?.jid.split('@')[1] ?? '';
  return {
    version,
    atMs,
    findings,
    devices: devices.map(({ sphereId, sphere: _name, name: _person, ...device }) => ({
      ...device,
      sphere: sphereId,
      attempts: (network?.attempts ?? []).filter(
        (attempt) => attempt.device === device.device && attempt.sphereId === sphereId,
      ),
    })),
    server: server === null ? null : { ...server, abilities: abilitiesOf(server, domain) },
    network,
    disks: disks.map((disk) => ({ ...disk, sphere: disk.sphereId })),
  };
}

function abilitiesOf({ abilities }: ServerFacts, domain: string): NonNullable<Printed['server']>['abilities'] {
  return abilities.map(({ name, has }) => {
    const { spec, need } = SERVER_ABILITIES[name];
    const none = { prosody: null, ejabberd: null };
    return { name, spec, need, has, ...(has === false ? linesToAdd(name, domain) : none) };
  });
}

function describe({ findings, devices, server }: Printed): string {
  const reached = devices.length === 0 ? ['No devices of other members.'] : devices.map(deviceInWords);
  const parts = [...findings.map(findingInWords), ...reached];
  return (server === null ? parts : [...parts, describeServer(server)]).join('\n\n');
}

function describeServer({ abilities }: NonNullable<Printed['server']>): string {
  const words = new Map([
    [true, 'pass'],
    [false, 'fail'],
  ]);
  const rows = abilities.map(({ name, spec, need, has }) => [
    (has === null ? undefined : words.get(has)) ?? 'unknown',
    name,
    spec,
    has === false ? need : '',
  ]);
  const missing = abilities.filter(({ prosody, ejabberd }) => prosody !== null || ejabberd !== null);
  const lines = missing.flatMap(({ name, prosody, ejabberd }) =>
    [`${name}:`, `Prosody:  ${prosody ?? '-'}`, `ejabberd: ${ejabberd ?? '-'}`].join('\n').replaceAll('\n', '\n  '),
  );
  return [table(rows, ''), ...lines].join('\n\n');
}
