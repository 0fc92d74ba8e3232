import { oc } from '@orpc/contract';
import * as z from 'zod';
import { done, infoHashSchema } from './ids.ts';

const port = z.number().int().min(0).max(65_535);

/** What the swarm process is told and asked of plain items that a person opened to other programs. */
export const openedCalls = {
  /** Replaces all that were open before. `port`: preferred, 0 = any. */
  setOpened: oc.input(z.object({ infoHashes: z.array(infoHashSchema).max(1000), port })).output(done),
  /** The port really taken, 0 = none, and `host:port` from the internet first. Waits some seconds for the router. */
  openedAt: oc.output(z.object({ port, endpoints: z.array(z.string()) })),
};
