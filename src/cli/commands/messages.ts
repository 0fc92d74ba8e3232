import { parseEventId } from '../../base/id.ts';
import type { MessageView } from '../../contract/views.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { resolveConversation, resolveSphere } from '../resolve.ts';
import { foundShape, messagesShape, okShape, saidShape } from '../shapes.ts';
import { plain } from '../words.ts';

/** The most one call gives. */
const PAGE = 500;

export const messageCommands = [
  defineCommand({
    name: 'say',
    usage: 'S|JID TEXT',
    summary: 'Sends a message to a sphere, or to one person.',
    options: { reply: { value: 'ID', help: 'the message that is answered, or the item that is commented on' } },
    positionals: { min: 2, max: 2 },
    shape: saidShape,
    async run({ connect, signal, positionals, values }) {
      const reply = values.get('reply');
      using engine = await connect();
      const sphereId = await resolveConversation(engine.client, positionals[0] ?? '', signal);
      const about = reply === undefined ? {} : { replyTo: parseEventId(reply) };
      const said = { sphereId, text: positionals[1] ?? '', ...about };
      const { message } = await engine.client.messages.say(said, { signal });
      return message;
    },
    describe: ({ state }) => state,
  }),
  defineCommand({
    name: 'edit',
    usage: 'S ID TEXT',
    summary: 'Gives a message of your own another text.',
    positionals: { min: 3, max: 3 },
    shape: saidShape,
    async run({ connect, signal, positionals }) {
      const messageId = parseEventId(positionals[1] ?? '');
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const change = { sphereId: sphere.id, messageId, text: positionals[2] ?? '' };
      return (await engine.client.messages.edit(change, { signal })).message;
    },
    describe: ({ state }) => state,
  }),
  defineCommand({
    name: 'retract',
    usage: 'S ID',
    summary: 'Takes a message off everybody’s screen: your own, or anybody’s for owner and admins.',
    options: { undo: { help: 'puts it back' } },
    positionals: { min: 2, max: 2 },
    shape: okShape,
    async run({ connect, signal, positionals, flags }) {
      const messageId = parseEventId(positionals[1] ?? '');
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const isUndone = flags.has('undo');
      return await engine.client.messages.retract({ sphereId: sphere.id, messageId, isUndone }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'react',
    usage: 'S ID [SIGN…]',
    summary: 'Puts these signs to a message, in place of all you put there before.',
    positionals: { min: 2, max: 10 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      const messageId = parseEventId(positionals[1] ?? '');
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const signs = positionals.slice(2);
      return await engine.client.messages.react({ sphereId: sphere.id, messageId, signs }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'read',
    usage: 'S',
    summary: 'Tells the others that you have seen everything in a sphere.',
    positionals: { min: 1, max: 1 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      return await engine.client.spheres.markRead({ sphereId: sphere.id }, { signal });
    },
    describe: () => 'done',
  }),
  defineCommand({
    name: 'search',
    usage: 'WORDS…',
    summary: 'Finds what was said and shared, in all spheres and talks: lines with all of these words, newest first.',
    options: {
      in: { value: 'S|JID', help: 'only in this sphere, or in the talk with this person' },
      limit: { value: 'N', help: 'at most so many (50)' },
    },
    positionals: { min: 1, max: 32 },
    shape: foundShape,
    async run({ connect, signal, positionals, values }) {
      const where = values.get('in');
      const limitText = values.get('limit');
      const limit = limitText === undefined ? {} : { limit: wholeNumber('--limit', limitText, 1) };
      using engine = await connect();
      const inside = where === undefined ? {} : { sphereId: await resolveConversation(engine.client, where, signal) };
      return await engine.client.messages.search({ words: positionals.join(' '), ...inside, ...limit }, { signal });
    },
    describe: ({ lines, isWhole }) =>
      [
        ...lines.map(({ place, from, text, atMs }) =>
          [new Date(atMs).toISOString(), plain(place.name), `${from}:`, plain(text)].join(' '),
        ),
        ...(lines.length === 0 ? ['nothing found'] : []),
        ...(isWhole ? [] : ['older lines are still being read: ask again in a moment']),
      ].join('\n'),
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
      const limit = limitText === undefined ? undefined : wholeNumber('--limit', limitText, 1);
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
        return { messages: await whole(messages) };
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
        return { messages: await whole(messages) };
      }

      /** Of long texts a page has the beginning. */
      async function whole(messages: readonly MessageView[]) {
        const read: MessageView[] = [];
        for (const { more, ...message } of messages) {
          const which = { sphereId, messageId: message.id };
          const text = more === undefined ? message.text : (await engine.client.messages.text(which, { signal })).text;
          read.push({ ...message, text });
        }
        return read;
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
