import path from 'node:path';
import type { z } from 'zod';
import { parseBareJid } from '../../base/id.ts';
import type { ItemView } from '../../contract/views.ts';
import { withAllFiles } from '../all-files.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { resolveFile, resolveItem, resolveSphere } from '../resolve.ts';
import { gotItemShape, itemsShape, sharedShape, urlShape } from '../shapes.ts';
import { percent, plain, sizeInWords, table } from '../words.ts';

const LEFT_OUT: Readonly<Record<string, string>> = {
  link: 'symbolic links',
  special: 'pipes and devices',
  name: 'names that are not UTF-8',
  empty: 'empty folders',
};

function leftOutInWords({ reason, count, names }: z.output<typeof sharedShape>['leftOut'][number]): string {
  const more = count > names.length ? ', …' : '';
  return `not shared: ${LEFT_OUT[reason] ?? reason} (${count}): ${names.map(plain).join(', ')}${more}`;
}

export const itemCommands = [
  defineCommand({
    name: 'share',
    usage: '(S | --to JID) PATH…',
    summary:
      'Shares files and folders in a sphere, or with one person alone: returns when they are hashed and queued, with ' +
      '--wait when the server has them. A .torrent file is passed on as it is; each member says whether to take part.',
    options: {
      to: { value: 'JID', help: 'with this person alone, in place of a sphere' },
      plain: {
        help: 'without encryption: still for members only, but whoever watches the network between them can read it',
      },
      wait: { help: 'wait until the server has the events' },
    },
    positionals: { min: 1, max: 1001 },
    shape: sharedShape,
    async run({ connect, signal, positionals, flags, values, io }) {
      const to = values.get('to');
      const paths = to === undefined ? positionals.slice(1) : positionals;
      if (paths.length === 0) throw usageFailure('say what to share');
      // An unset variable of a script would otherwise share the whole working folder.
      if (paths.includes('')) throw usageFailure('a path is empty');
      using engine = await connect();
      const sphere =
        to === undefined
          ? await resolveSphere(engine.client, positionals[0] ?? '', signal)
          : (await engine.client.spheres.withPerson({ jid: parseBareJid(to) }, { signal })).sphere;
      return await engine.client.items.share(
        {
          sphereId: sphere.id,
          paths: paths.map((file) => path.resolve(io.cwd, file)),
          plain: flags.has('plain'),
          wait: flags.has('wait'),
        },
        { signal },
      );
    },
    describe: ({ items, leftOut }) =>
      [
        table(
          items.map(({ name, bytes, state }) => [plain(name), sizeInWords(bytes), state]),
          'nothing was shared',
        ),
        ...leftOut.map(leftOutInWords),
      ].join('\n'),
  }),
  defineCommand({
    name: 'items',
    usage: 'S',
    summary: 'Lists what was shared in a sphere.',
    options: { removed: { help: 'what was taken off the list of this device and can be put back' } },
    positionals: { min: 1, max: 1 },
    shape: itemsShape,
    async run({ connect, signal, positionals, flags }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const asked = { sphereId: sphere.id, removed: flags.has('removed') };
      const items: ItemView[] = [];
      for (const item of (await engine.client.items.list(asked, { signal })).items) {
        items.push(await withAllFiles(engine.client, item, signal));
      }
      return { items };
    },
    describe: ({ items }) =>
      table(
        items.map(({ name, bytes, bytesHave, state, from }) => [
          plain(name),
          sizeInWords(bytes),
          percent(bytesHave, bytes),
          state,
          from,
        ]),
        'nothing was shared yet',
      ),
  }),
  defineCommand({
    name: 'get',
    usage: 'S ITEM [FILE]',
    summary: 'Downloads an item, or only one file of a folder; with --wait returns when that is verified on disk.',
    options: {
      wait: { help: 'wait until the item is complete and verified' },
      public: {
        help: 'yes to a torrent from elsewhere: strangers on the internet will see the address of this computer',
      },
    },
    positionals: { min: 2, max: 3 },
    shape: gotItemShape,
    async run({ connect, signal, positionals, flags }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const item = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      const only =
        positionals[2] === undefined ? {} : { files: [await resolveFile(engine.client, item, positionals[2], signal)] };
      const got = await engine.client.items.get(
        {
          ...{ sphereId: sphere.id, itemId: item.id, ...only },
          ...{ mayStrangersSee: flags.has('public'), wait: flags.has('wait') },
        },
        { signal },
      );
      return { item: await withAllFiles(engine.client, got.item, signal) };
    },
    describe: ({ item }) => `${plain(item.name)}  ${item.state}  ${plain(item.path ?? '')}`,
  }),
  defineCommand({
    name: 'url',
    usage: 'S ITEM [FILE]',
    summary: 'Prints the playback address of an item or of one of its files; it answers Range requests.',
    positionals: { min: 2, max: 3 },
    shape: urlShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const item = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      const file = await resolveFile(engine.client, item, positionals[2], signal);
      const { url } = await engine.client.items.playback({ sphereId: sphere.id, itemId: item.id, file }, { signal });
      return { url: new URL(url, engine.origin).href };
    },
    describe: ({ url }) => url,
  }),
];
