import path from 'node:path';
import { withAllFiles } from '../all-files.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { resolveItem, resolveSphere } from '../resolve.ts';
import { closedShape, gotItemShape, holdersShape, openedShape, recheckedShape, removedShape } from '../shapes.ts';
import { percent, plain, table } from '../words.ts';

const FATES: ReadonlySet<string> = new Set(['share', 'keep', 'original']);

/** What becomes of an item that is on this device. */
export const keptItemCommands = [
  defineCommand({
    name: 'remove',
    usage: 'S ITEM',
    summary:
      'Takes an item off the list of this device; restore puts it back for 30 days. Originals are never deleted.',
    options: {
      'delete-copy': { help: 'also delete the received copy; files changed since they came stay' },
      'for-everybody': { help: 'take it off the lists of all members; what they have on their disks stays' },
    },
    positionals: { min: 2, max: 2 },
    shape: removedShape,
    async run({ connect, signal, positionals, flags }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const { id: itemId } = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      const copy = flags.has('delete-copy') ? 'delete' : 'keep';
      const forEverybody = flags.has('for-everybody');
      return await engine.client.items.remove({ sphereId: sphere.id, itemId, copy, forEverybody }, { signal });
    },
    describe: ({ kept }) => (kept === 0 ? 'removed' : `removed; ${kept} changed files stay`),
  }),
  defineCommand({
    name: 'restore',
    usage: 'S ITEM',
    summary: 'Puts an item back that was removed or deleted; items --removed shows them.',
    positionals: { min: 2, max: 2 },
    shape: gotItemShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const { id: itemId } = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal, true);
      const { item } = await engine.client.items.restore({ sphereId: sphere.id, itemId }, { signal });
      return { item: await withAllFiles(engine.client, item, signal) };
    },
    describe: ({ item }) => `${plain(item.name)}  ${item.state}`,
  }),
  defineCommand({
    name: 'edited',
    usage: 'S ITEM share|keep|original',
    summary:
      'Says what becomes of an item whose file was edited here: share it as it is now (your own takes the place of the ' +
      'old one, that of others stands beside theirs), keep it for yourself, or get the original again beside it.',
    positionals: { min: 3, max: 3 },
    shape: gotItemShape,
    async run({ connect, signal, positionals }) {
      const [, , fate = ''] = positionals;
      if (!FATES.has(fate)) throw usageFailure(`share, keep or original, not ${fate}`);
      using engine = await connect();
      const { items } = engine.client;
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const { id: itemId } = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      const ids = { sphereId: sphere.id, itemId };
      const { item } =
        fate === 'share'
          ? await items.shareVersion(ids, { signal })
          : await (fate === 'keep' ? items.keepEdited(ids, { signal }) : items.get(ids, { signal }));
      return { item: await withAllFiles(engine.client, item, signal) };
    },
    describe: ({ item }) => `${plain(item.name)}  ${item.state}  ${plain(item.path ?? '')}`,
  }),
  defineCommand({
    name: 'holders',
    usage: 'S ITEM',
    summary:
      'Shows how much of an item each member is known to have, and how many complete copies there are elsewhere.',
    positionals: { min: 2, max: 2 },
    shape: holdersShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const { id: itemId } = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      return await engine.client.items.holders({ sphereId: sphere.id, itemId }, { signal });
    },
    describe: ({ bytes, copies, holders }) =>
      [
        table(
          holders.map(({ jid, bytesHave }) => [jid, bytesHave === null ? 'not known' : percent(bytesHave, bytes)]),
          'nobody',
        ),
        `complete copies elsewhere: ${copies}`,
      ].join('\n'),
  }),
  defineCommand({
    name: 'open',
    usage: 'S ITEM FOLDER',
    summary:
      'Lets other BitTorrent programs fetch an item from this computer, and writes the .torrent file that they need into ' +
      'a folder. Only for what was shared with --plain. Whoever has the file may then read the item, and sees the address ' +
      'of this computer. They save it as one file, “data”.',
    positionals: { min: 3, max: 3 },
    shape: openedShape,
    async run({ connect, signal, positionals, io }) {
      const folder = path.resolve(io.cwd, positionals[2] ?? '');
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const { id: itemId } = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      return await engine.client.items.openToPrograms({ sphereId: sphere.id, itemId, folder }, { signal });
    },
    describe: ({ file, endpoints }) => `${plain(file)}\n${endpoints.join('  ')}`,
  }),
  defineCommand({
    name: 'close',
    usage: 'S ITEM',
    summary: 'Other programs fetch an item from this computer no more; what they have they keep.',
    positionals: { min: 2, max: 2 },
    shape: closedShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const { id: itemId } = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      return await engine.client.items.closeToPrograms({ sphereId: sphere.id, itemId }, { signal });
    },
    describe: ({ item }) => `${plain(item.name)} is closed to other programs`,
  }),
  defineCommand({
    name: 'recheck',
    usage: 'S ITEM',
    summary: 'Reads an item on this disk again and compares it with what was shared; damage is fetched again.',
    positionals: { min: 2, max: 2 },
    shape: recheckedShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, positionals[0] ?? '', signal);
      const { id: itemId } = await resolveItem(engine.client, sphere, positionals[1] ?? '', signal);
      const { item, damaged } = await engine.client.items.recheck({ sphereId: sphere.id, itemId }, { signal });
      return { item: await withAllFiles(engine.client, item, signal), damaged };
    },
    describe: ({ item, damaged }) =>
      `${plain(item.name)}  ${damaged === 0 ? 'undamaged' : `${damaged} damaged pieces`}`,
  }),
];
