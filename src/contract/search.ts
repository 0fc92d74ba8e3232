import { oc } from '@orpc/contract';
import * as z from 'zod';
import { bareJidSchema, eventIdSchema, itemIdSchema, sphereIdSchema } from './ids.ts';

/** Finding what was said and shared. */

const count = z.number().int().nonnegative();

export const foundLineSchema = z.object({
  /** The conversation: a sphere's, or that of a talk with one person. */
  sphereId: sphereIdSchema,
  place: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('sphere'), name: z.string() }),
    z.object({ kind: z.literal('talk'), name: z.string(), jid: bareJidSchema }),
  ]),
  messageId: eventIdSchema,
  /** What was found is the name of this item, or of files in it; null = a line that somebody wrote. */
  itemId: itemIdSchema.nullable(),
  from: bareJidSchema,
  fromName: z.string(),
  mine: z.boolean(),
  atMs: count,
  /** The line, or the part of it around the first thing that was found. */
  text: z.string(),
  /** What was found in `text`, in UTF-16 units, in order. */
  marks: z.array(z.object({ from: count, to: count })),
});
export type FoundLineView = z.infer<typeof foundLineSchema>;

const foundSchema = z.object({
  /** Newest first. */
  lines: z.array(foundLineSchema),
  /** Whether everything was searched: after the start older lines are still being read for a while. */
  isWhole: z.boolean(),
});
export type FoundView = z.infer<typeof foundSchema>;

/**
 * Lines in which a word begins with each of the words, whatever their case and accents, and items that are called
 * so, or the files inside.
 * Neither in spheres that ended, nor of people who are blocked or wait for an answer.
 */
export const searchCall = oc
  .input(
    z.object({
      words: z.string().max(500),
      sphereId: sphereIdSchema.optional(),
      limit: z.number().int().min(1).max(200).default(50),
    }),
  )
  .output(foundSchema);
