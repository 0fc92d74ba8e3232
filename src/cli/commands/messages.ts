import { parseEventId } from '../../base/id.ts';
import type { MessageView } from '../../contract/views.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { resolveConversation } from '../resolve.ts';
import { messagesShape, saidShape } from '../shapes.ts';
import { plain } from '../words.ts';

/** The most one call gives. */
const PAGE = 500;

export const messageCommands = [
  defineCommand({
    name: 'say',
    usage: 'S|JID TEXT',
    summary: 'Sends a message to a sphere, or to one person.',
    positionals: { min: 2, max: 2 },
    shape: saidShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphereId = await resolveConversation(engine.client, positionals[0] ?? '', signal);
      const { message } = await engine.client.messages.say({ sphereId, text: positionals[1] ?? '' }, { signal });
      return message;
    },
    describe: ({ state }) => state,
  }),
  defineCommand({
    name: 'messages',
    usage: 'S|JID',
    summary:
      'Prints the newest messages of a sphere or of the talk with a person, or those after a given one, oldest first.',
    options: {
      after: { value: 'ID', help: 'only what follows this message' },
      limit: { value: 'N', help: 'at most so many (100, or all that follow with --after)' },
    },
    positionals: { min: 1, max: 1 },
    shape: messagesShape,
    async run({ connect, signal, positionals, values }) {
      const limitText = values.get('limit');
      const after = values.get('after');
      const limit = limitText === undefined ? undefined : wholeNumber('limit', limitText, 1);
      using engine = await connect();
      const sphereId = await resolveConversation(engine.client, positionals[0] ?? '', signal);
      if (after === undefined) return await readBackwards(limit ?? 100);
      return await readForwards(after, limit ?? Number.POSITIVE_INFINITY);

      async function readBackwards(wanted: number) {
        let messages: MessageView[] = [];
        while (messages.length < wanted) {
          const page = await engine.client.messages.list(
            {
              sphereId,
              limit: Math.min(PAGE, wanted - messages.length),
              ...(messages[0] === undefined ? {} : { before: messages[0].id }),
            },
            { signal },
          );
          messages = [...page.messages, ...messages];
          if (page.messages.length < PAGE) break;
        }
        return { messages };
      }

      async function readForwards(from: string, wanted: number) {
        const messages: MessageView[] = [];
        while (messages.length < wanted) {
          const page = await engine.client.messages.list(
            {
              sphereId,
              limit: Math.min(PAGE, wanted - messages.length),
              after: messages.at(-1)?.id ?? parseEventId(from),
            },
            { signal },
          );
          messages.push(...page.messages);
          if (page.messages.length < PAGE) break;
        }
        return { messages };
      }
    },
    describe: ({ messages }) =>
      messages
        .map(({ from, text, atMs, failure }) => {
          const note = failure === null ? '' : ` (not sent: ${failure})`;
          return `${new Date(atMs).toISOString()} ${from}: ${plain(text)}${note}`;
        })
        .join('\n'),
  }),
];
