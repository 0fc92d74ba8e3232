import type { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import type { DoctorReport } from '../../contract/doctor.ts';
import { defineCommand } from '../command.ts';
import { doctorShape } from '../doctor-shape.ts';
import { plain, table } from '../words.ts';

type Printed = z.output<typeof doctorShape>;

export const doctorCommands = [
  defineCommand({
    name: 'doctor',
    summary:
      'Checks server, router, network, disk and clock, and tells how each device of a member is reached and why not better.',
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
  const { server, network, disks } = facts;
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
    server,
    network,
    disks: disks.map((disk) => ({ ...disk, sphere: disk.sphereId })),
  };
}

function describe({ findings, devices }: Printed): string {
  const found = findings.map(({ severity, code, params }) => [severity, code, inWords(params)]);
  const reached = devices.map(({ severity, jid, device, state, path, because, advice }) => [
    severity,
    `${plain(jid)} ${device.slice(0, 8)}`,
    [path ?? state, ...because, ...(advice === null ? [] : [`→ ${advice}`])].join(', '),
  ]);
  return `${table(found, 'nothing was found')}\n\n${table(reached, 'no devices of other members')}`;
}

function inWords(params: Printed['findings'][number]['params']): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${plain(String(value))}`)
    .join(' ');
}
