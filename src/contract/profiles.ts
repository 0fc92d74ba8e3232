import { oc } from '@orpc/contract';
import * as z from 'zod';
import { done } from './ids.ts';

const id = z.string().max(64);
const name = z.string().trim().min(1).max(60);

export const profileSchema = z.object({
  id: z.string(),
  /** As the person wrote it; empty when they have not. */
  name: z.string(),
  /** The account it is signed in with. */
  account: z.string().nullable(),
  /** false = taken off the list; everything of it is still there. */
  isListed: z.boolean(),
  isRunning: z.boolean(),
  /** The one that is asked. */
  isCurrent: z.boolean(),
});
export type ProfileView = z.infer<typeof profileSchema>;

/** The people who use Spherecast on this computer. Each has an engine of their own: this one knows who there is and where. */
export const profileContract = {
  list: oc.output(
    z.object({
      profiles: z.array(profileSchema),
      /** The application was started for nobody in particular: the page asks who is there. */
      ask: z.boolean(),
      startsWithLast: z.boolean(),
    }),
  ),
  add: oc.input(z.object({ name })).output(z.object({ profile: profileSchema })),
  setListed: oc.input(z.object({ id, on: z.boolean() })).output(done),
  setStartsWithLast: oc.input(z.object({ on: z.boolean() })).output(done),
  /** Where the person's page is, for once and soon; null = here, or in a window that the desktop shell opens. */
  open: oc.input(z.object({ id })).output(z.object({ url: z.string().nullable() })),
};
