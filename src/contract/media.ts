import { oc } from '@orpc/contract';
import * as z from 'zod';
import { bytesSchema } from './ids.ts';
import { mediaKindSchema } from './views.ts';

/** What the engine asks of the media process, which opens hostile files and may die at any call. */

const count = z.number().int().nonnegative();

export const probeSchema = z.object({
  kind: mediaKindSchema,
  /** MIME type by content, not by name. */
  type: z.string(),
  durationMs: count.nullable(),
  width: count.nullable(),
  height: count.nullable(),
  /** Codec names as ffmpeg spells them; empty when the file is no media. */
  streams: z.array(z.object({ kind: z.enum(['video', 'audio', 'subtitle', 'other']), codec: z.string() })),
  /** Byte ranges of the file a player reads before the first frame: moov, cues, index. `to` is exclusive. */
  indexRanges: z.array(z.object({ from: count, to: count })),
});
export type Probe = z.infer<typeof probeSchema>;

export const previewSchema = z.object({
  /** WebP, at most 320 px on the longer side, without any metadata of the original. */
  image: bytesSchema,
  thumbhash: bytesSchema,
  width: count,
  height: count,
});
export type Preview = z.infer<typeof previewSchema>;

/** A person's picture, as a square. */
export const portraitSchema = z.object({
  /** For others. */
  png: bytesSchema,
  side: count,
  /** The same as WebP, to be shown here. */
  image: bytesSchema,
});
export type Portrait = z.infer<typeof portraitSchema>;

const file = z.object({ path: z.string() });

/** Files in one question: into a small one it is looked in less time than a question takes. */
export const PROBED_TOGETHER = 16;

export const mediaContract = {
  probe: oc.input(file).output(probeSchema),
  /** null for a file that cannot be opened. */
  probeAll: oc
    .input(z.object({ paths: z.array(z.string()).max(PROBED_TOGETHER) }))
    .output(z.array(probeSchema.nullable())),
  /** null when nothing in the file can be drawn. */
  preview: oc.input(file).output(previewSchema.nullable()),
  /** null when the bytes are no picture. */
  portrait: oc.input(z.object({ bytes: bytesSchema })).output(portraitSchema.nullable()),
};
export type MediaContract = typeof mediaContract;
