import { oc } from '@orpc/contract';
import * as z from 'zod';
import { findingSchema } from './finding.ts';
import { limitsSchema } from './views.ts';

/** What a person can set on this computer, beyond how the page looks. */

const minute = z.number().int().min(0).max(1439);
const port = z.number().int().min(1).max(65_535);

const scheduleSchema = z.object({
  on: z.boolean(),
  /** Days on which it begins, 0 = Sunday. */
  days: z.array(z.number().int().min(0).max(6)).max(7),
  /** Minutes since local midnight. An end that is not after the beginning lies on the next day. */
  fromMinute: minute,
  toMinute: minute,
});
export type QuietSchedule = z.infer<typeof scheduleSchema>;

/** Slower limits, for as long as they are switched on and at the hours of the schedule. */
export const quietSchema = z.object({ on: z.boolean(), limits: limitsSchema, schedule: scheduleSchema });
export type QuietSettings = z.infer<typeof quietSchema>;

export const networkSettingsSchema = z.object({
  /** The port to ask for, 0 = any. */
  dataPort: z.number().int().min(0).max(65_535),
  /** Addresses of this computer to listen on; empty = all. */
  addresses: z.array(z.union([z.ipv4(), z.ipv6()])).max(16),
  mapPorts: z.boolean(),
  discoverLan: z.boolean(),
  /** Whether we keep a list of who has what for members, and tell those that they keep. */
  tracker: z.boolean(),
  /** Also listened on when the system allows it. */
  extraPorts: z.array(port).max(4),
});

export const settingsSchema = z.object({
  limits: limitsSchema,
  quiet: quietSchema,
  /** Whether others see when the person writes. */
  tellTyping: z.boolean(),
  /** How strangers who share public torrents are found beside trackers; holds at once. */
  public: findingSchema,
  /** Takes effect when the engine starts. */
  network: networkSettingsSchema,
  /** The limits that hold now. */
  inForce: limitsSchema,
  /** Settings of the network were changed since the engine started. */
  restartNeeded: z.boolean(),
});
export type SettingsView = z.infer<typeof settingsSchema>;

export const settingsChangeSchema = z
  .object({
    limits: limitsSchema.partial(),
    quiet: z.object({ on: z.boolean(), limits: limitsSchema.partial(), schedule: scheduleSchema.partial() }).partial(),
    public: findingSchema.partial(),
    network: networkSettingsSchema.partial(),
    tellTyping: z.boolean(),
  })
  .partial();
export type SettingsChange = z.infer<typeof settingsChangeSchema>;

export const settingsContract = {
  get: oc.output(settingsSchema),
  /** Changes what is given and leaves the rest. */
  set: oc.input(settingsChangeSchema).output(settingsSchema),
};
