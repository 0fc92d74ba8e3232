import { eventIterator, oc } from '@orpc/contract';
import * as z from 'zod';
import { ERROR_CODES } from '../base/errors.ts';
import { ADVICE_CODES, AREAS, BECAUSE_CODES, FINDINGS, SEVERITIES } from './findings.ts';
import type { FindingCode } from './findings.ts';
import { ABILITY_NAMES } from './server-abilities.ts';
import { bareJidSchema, deviceKeySchema, sphereIdSchema } from './ids.ts';
import { networkSchema, pathSchema } from './swarm.ts';
import { accountSchema, swarmSchema } from './views.ts';

/** What the connection check looks at, and what it makes of it. All sizes are bytes, all times milliseconds. */

const count = z.number().int().nonnegative();

const FINDING_CODES = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];

const findingSchema = z.object({
  area: z.enum(AREAS),
  code: z.enum(FINDING_CODES),
  severity: z.enum(SEVERITIES),
  /** What a sentence about it needs. */
  params: z.record(z.string(), z.union([z.string(), z.number()])),
});
export type Finding = z.infer<typeof findingSchema>;

export const deviceReportSchema = z.object({
  sphereId: sphereIdSchema,
  sphere: z.string(),
  jid: bareJidSchema,
  name: z.string(),
  device: deviceKeySchema,
  /**
   * `idle`: online, and nothing has to move. `carried`: not reached, but others of the sphere are, who pass things on.
   * `silent`: not reached, but another device of the same person is; this one may be off.
   */
  state: z.enum(['connected', 'connecting', 'carried', 'silent', 'unreached', 'idle', 'offline']),
  severity: z.enum(SEVERITIES),
  /** The best path in use, null when not connected. */
  path: pathSchema.nullable(),
  because: z.array(z.enum(BECAUSE_CODES)),
  advice: z.enum(ADVICE_CODES).nullable(),
});
export type DeviceReport = z.infer<typeof deviceReportSchema>;

const abilitySchema = z.object({
  name: z.enum(ABILITY_NAMES),
  /** null = it could not be told: no answer, or nothing to look at. */
  has: z.boolean().nullable(),
});
export type AbilityView = z.infer<typeof abilitySchema>;

const serverFactsSchema = z.object({
  /** The program it says to be, as "Prosody"; null when it says nothing. */
  software: z.string().nullable(),
  /** Each thing that we use of a server, in the order of the list. */
  abilities: z.array(abilitySchema),
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
  /** Whether something of the sphere is on its way to this computer. */
  waits: z.boolean(),
});
export type DeviceFacts = z.infer<typeof deviceFactsSchema>;

/** What was measured and what is known, without any judgement. */
const doctorFactsSchema = z.object({
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

const doctorReportSchema = z.object({
  version: z.string(),
  atMs: count,
  /** What is still being looked at. */
  running: z.array(z.enum(AREAS)),
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
