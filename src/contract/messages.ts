import { oc } from '@orpc/contract';
import * as z from 'zod';
import { MAX_TEXT_BYTES } from '../base/cut-text.ts';
import { done, eventIdSchema, inSphere, ofItem, personIdSchema, sphereIdSchema } from './ids.ts';
import { searchCall } from './search.ts';
import { messageSchema } from './views.ts';

/** What is said in spheres and in talks with one person, and about items. */

/** The engine counts the bytes, of which there are at least as many. */
const words = z.string().min(1).max(MAX_TEXT_BYTES);
const ofMessage = z.object({ sphereId: sphereIdSchema, messageId: eventIdSchema });

export const messagesContract = {
  /** Oldest first: the newest `limit` ones, or those that follow `after`, those before `before`, or `around` one. */
  list: oc
    .input(
      z.object({
        sphereId: sphereIdSchema,
        after: eventIdSchema.optional(),
        before: eventIdSchema.optional(),
        around: eventIdSchema.optional(),
        limit: z.number().int().min(1).max(500).default(100),
      }),
    )
    .output(z.object({ messages: z.array(messageSchema) })),
  say: oc
    .input(
      z.object({
        sphereId: sphereIdSchema,
        text: words,
        /** A line that is answered, or the item that is commented on. */
        replyTo: eventIdSchema.optional(),
        /** Members that the text speaks to. */
        mentions: z.array(personIdSchema).max(16).optional(),
      }),
    )
    .output(z.object({ message: messageSchema })),
  /** All of a text of which lists and events carry the beginning. */
  text: oc.input(ofMessage).output(z.object({ text: z.string() })),
  /** Another text for a message of ours. */
  edit: oc.input(ofMessage.extend({ text: words })).output(z.object({ message: messageSchema })),
  /** Takes a message off everybody's screen, or puts it back. */
  retract: oc.input(ofMessage.extend({ isUndone: z.boolean().default(false) })).output(done),
  /** All our signs on a line, in place of those before. */
  react: oc.input(ofMessage.extend({ signs: z.array(z.string().min(1).max(32)).max(8) })).output(done),
  /** What was said about an item, oldest first; `lineId` is what another comment answers. */
  comments: oc.input(ofItem).output(z.object({ lineId: eventIdSchema, messages: z.array(messageSchema) })),
  /** The person writes there, or no longer does; said again every few seconds while it goes on. */
  typing: oc.input(inSphere.extend({ isTyping: z.boolean() })).output(done),
  /** Sends a line of ours again that failed. */
  retry: oc.input(ofMessage).output(done),
  /** Takes a line of ours that failed away for good. */
  remove: oc.input(ofMessage).output(done),
  search: searchCall,
};
