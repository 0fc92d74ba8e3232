import { eventIterator, oc } from '@orpc/contract';
import * as z from 'zod';
import { ERROR_CODES } from '../base/errors.ts';
import { bareJidSchema, deviceKeySchema, sphereIdSchema } from './ids.ts';
import { networkSchema, pathSchema } from './swarm.ts';
import { accountSchema, swarmSchema } from './views.ts';

/** What the connection check looks at, and what it makes of it. All sizes are bytes, all times milliseconds. */

const count = z.number().int().nonnegative();

/** The parts of the check, in the order in which people read them. */
export const areaSchema = z.enum(['server', 'transfers', 'router', 'ipv6', 'nearby', 'helpers', 'disk', 'clock']);
export type Area = z.infer<typeof areaSchema>;

/** `warning`: it works, and could work better. `problem`: something does not work until somebody acts. */
export const severitySchema = z.enum(['ok', 'info', 'warning', 'problem']);
export type Severity = z.infer<typeof severitySchema>;

/** Everything the check can find: where it belongs and how much it matters. Words for it are the reader's matter. */
export const FINDINGS = {
  'server-reached': { area: 'server', severity: 'ok' },
  'server-connecting': { area: 'server', severity: 'info' },
  'server-silent': { area: 'server', severity: 'warning' },
  'server-slow': { area: 'server', severity: 'warning' },
  'server-forgets': { area: 'server', severity: 'warning' },
  'server-breaks-off': { area: 'server', severity: 'info' },
  'server-unfit': { area: 'server', severity: 'problem' },
  'server-away': { area: 'server', severity: 'problem' },
  'sign-in-refused': { area: 'server', severity: 'problem' },
  'signed-out': { area: 'server', severity: 'problem' },
  'transfers-ready': { area: 'transfers', severity: 'ok' },
  'transfers-starting': { area: 'transfers', severity: 'info' },
  'transfers-stopped': { area: 'transfers', severity: 'problem' },
  'extra-door-closed': { area: 'transfers', severity: 'warning' },
  'router-open': { area: 'router', severity: 'ok' },
  'router-not-needed': { area: 'router', severity: 'ok' },
  'router-searching': { area: 'router', severity: 'info' },
  'router-not-asked': { area: 'router', severity: 'info' },
  'router-closed': { area: 'router', severity: 'warning' },
  'router-shared': { area: 'router', severity: 'warning' },
  'router-lied': { area: 'router', severity: 'warning' },
  'ipv6-open': { area: 'ipv6', severity: 'ok' },
  'ipv6-guarded': { area: 'ipv6', severity: 'info' },
  'ipv6-none': { area: 'ipv6', severity: 'info' },
  'nearby-on': { area: 'nearby', severity: 'ok' },
  'nearby-off': { area: 'nearby', severity: 'info' },
  'nearby-failed': { area: 'nearby', severity: 'warning' },
  'network-none': { area: 'nearby', severity: 'problem' },
  'helper-relay': { area: 'helpers', severity: 'ok' },
  'helper-introduces': { area: 'helpers', severity: 'ok' },
  'helper-not-needed': { area: 'helpers', severity: 'info' },
  'helper-missing': { area: 'helpers', severity: 'warning' },
  'helper-unusable': { area: 'helpers', severity: 'warning' },
  'disk-room': { area: 'disk', severity: 'ok' },
  'disk-low': { area: 'disk', severity: 'warning' },
  'disk-full': { area: 'disk', severity: 'problem' },
  'disk-locked': { area: 'disk', severity: 'problem' },
  'clock-right': { area: 'clock', severity: 'ok' },
  'clock-unknown': { area: 'clock', severity: 'info' },
  'clock-wrong': { area: 'clock', severity: 'warning' },
} as const satisfies Record<string, { area: Area; severity: Severity }>;

export type FindingCode = keyof typeof FINDINGS;
const FINDING_CODES = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];

export const findingSchema = z.object({
  area: areaSchema,
  code: z.enum(FINDING_CODES),
  severity: severitySchema,
  /** What a sentence about it needs. */
  params: z.record(z.string(), z.union([z.string(), z.number()])),
});
export type Finding = z.infer<typeof findingSchema>;

/** Why a device is not reached in a better way. */
export const BECAUSE_CODES = [
  'apart',
  'nearby-silent',
  'nearby-refused',
  'ipv6-ours',
  'ipv6-theirs',
  'ipv6-silent',
  'ipv6-refused',
  'doors-closed',
  'door-unused',
  'door-shared',
  'door-lied',
  'door-silent',
  'door-refused',
  'through-ours',
  'through-theirs',
  'through-no-helper',
  'through-blocked',
  'relay-none',
  'relay-silent',
  'not-tried',
] as const;

/** What the person can do about it. */
export const ADVICE_CODES = ['open-router', 'leave-one-on', 'restart-router', 'ask-them', 'wait'] as const;

export const deviceReportSchema = z.object({
  sphereId: sphereIdSchema,
  sphere: z.string(),
  jid: bareJidSchema,
  name: z.string(),
  device: deviceKeySchema,
  /** `idle`: online, and nothing has to move. */
  state: z.enum(['connected', 'connecting', 'unreached', 'idle', 'offline']),
  severity: severitySchema,
  /** The best path in use, null when not connected. */
  path: pathSchema.nullable(),
  because: z.array(z.enum(BECAUSE_CODES)),
  advice: z.enum(ADVICE_CODES).nullable(),
});
export type DeviceReport = z.infer<typeof deviceReportSchema>;

const serverFactsSchema = z.object({
  /** As "TLSv1.3"; null when it is not known. */
  tls: z.string().nullable(),
  /** A short break of the connection loses nothing (XEP-0198). */
  resumes: z.boolean(),
  /** null when the server did not answer. */
  roundTripMs: count.nullable(),
  /** How far this computer is ahead of the server, negative when behind; null when the server tells no time. */
  clockAheadMs: z.number().int().nullable(),
  /** null while it is not known what the server can do. */
  features: z
    .object({
      rooms: z.boolean(),
      personalNodes: z.boolean(),
      archive: z.boolean(),
      carbons: z.boolean(),
      /** XEP-0215 */
      helpers: z.boolean(),
    })
    .nullable(),
});
export type ServerFacts = z.infer<typeof serverFactsSchema>;

const diskFactsSchema = z.object({
  sphereId: sphereIdSchema,
  sphere: z.string(),
  folder: z.string(),
  /** null when it cannot be told. */
  freeBytes: count.nullable(),
  writable: z.boolean(),
});
export type DiskFacts = z.infer<typeof diskFactsSchema>;

const deviceFactsSchema = z.object({
  sphereId: sphereIdSchema,
  sphere: z.string(),
  jid: bareJidSchema,
  name: z.string(),
  device: deviceKeySchema,
  /** Whether the person is in the sphere's room right now, with any device. */
  online: z.boolean(),
});
export type DeviceFacts = z.infer<typeof deviceFactsSchema>;

/** What was measured and what is known, without any judgement. */
export const doctorFactsSchema = z.object({
  account: accountSchema.extend({ error: z.enum(ERROR_CODES).nullable() }).nullable(),
  /** null while not online. */
  server: serverFactsSchema.nullable(),
  transfers: z.object({ state: swarmSchema.shape.state, port: count, asksRouter: z.boolean() }),
  /** null until the swarm process has told it. */
  network: networkSchema.nullable(),
  disks: z.array(diskFactsSchema),
  devices: z.array(deviceFactsSchema),
});
export type DoctorFacts = z.infer<typeof doctorFactsSchema>;

export const doctorReportSchema = z.object({
  version: z.string(),
  atMs: count,
  /** What is still being looked at. */
  running: z.array(areaSchema),
  findings: z.array(findingSchema),
  devices: z.array(deviceReportSchema),
  facts: doctorFactsSchema,
});
export type DoctorReport = z.infer<typeof doctorReportSchema>;

export const doctorContract = {
  /**
   * Looks at everything and tells the whole report each time something became known. Ends when nothing runs any more;
   * with `follow` it goes on telling what changes.
   */
  check: oc.input(z.object({ follow: z.boolean().default(false) })).output(eventIterator(doctorReportSchema)),
};
