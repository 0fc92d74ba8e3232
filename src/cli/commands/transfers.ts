import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import type { EngineClient } from '../connect.ts';
import { usageFailure } from '../failure.ts';
import { resolveItem, resolveSphere } from '../resolve.ts';
import { limitsShape, okShape } from '../shapes.ts';
import { sizeInWords } from '../words.ts';

const LEVELS = ['low', 'normal', 'high'] as const;

export const transferCommands = [
  defineCommand({
    name: 'limit',
    usage: '[S [ITEM]]',
    summary:
      'Shows or sets how fast the machine, a sphere or an item may send and receive, in bytes per second; 0 = no limit. ' +
      'Those of the machine, the sphere and the item all hold.',
    positionals: { min: 0, max: 2 },
    options: {
      up: { value: 'BYTES', help: 'sending' },
      down: { value: 'BYTES', help: 'receiving' },
    },
    shape: limitsShape,
    async run({ connect, signal, positionals, values }) {
      const up = values.get('up');
      const down = values.get('down');
      const limits = {
        ...(up === undefined ? {} : { up: wholeNumber('--up', up) }),
        ...(down === undefined ? {} : { down: wholeNumber('--down', down) }),
      };
      using engine = await connect();
      return await limit(engine.client, positionals, limits, signal);
    },
    describe: ({ up, down }) => `up ${inWords(up)}\ndown ${inWords(down)}`,
  }),
  defineCommand({
    name: 'pause',
    usage: '[S ITEM]',
    summary: 'Stops all transfers until resume, or those of one item.',
    positionals: { min: 0, max: 2 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const item = await resolveOne(engine.client, positionals, signal);
      if (item !== null) return await engine.client.items.pause(item, { signal });
      return await engine.client.transfers.pauseAll(undefined, { signal });
    },
    describe: () => 'paused',
  }),
  defineCommand({
    name: 'resume',
    usage: '[S ITEM]',
    summary: 'Lets all transfers go on, or those of one item.',
    positionals: { min: 0, max: 2 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      using engine = await connect();
      const item = await resolveOne(engine.client, positionals, signal);
      if (item !== null) return await engine.client.items.resume(item, { signal });
      return await engine.client.transfers.resumeAll(undefined, { signal });
    },
    describe: () => 'resumed',
  }),
  defineCommand({
    name: 'priority',
    usage: 'S ITEM low|normal|high',
    summary: 'Says which of several downloads comes first: others of less importance wait while it is moving.',
    positionals: { min: 3, max: 3 },
    shape: okShape,
    async run({ connect, signal, positionals }) {
      const priority = LEVELS.find((level) => level === positionals[2]);
      if (priority === undefined) throw usageFailure(`one of ${LEVELS.join(', ')} is needed`);
      using engine = await connect();
      const item = await resolveOne(engine.client, positionals, signal);
      if (item === null) throw usageFailure('which item? Name it after the sphere');
      return await engine.client.items.setPriority({ ...item, priority }, { signal });
    },
    describe: () => 'set',
  }),
];

/** Of the item, of the sphere or of the machine, whichever is named; nothing to set shows them. */
async function limit(
  client: EngineClient,
  [sphereName, itemName]: readonly string[],
  limits: { readonly up?: number; readonly down?: number },
  signal: AbortSignal,
): Promise<{ readonly up: number; readonly down: number }> {
  const isShown = limits.up === undefined && limits.down === undefined;
  if (sphereName === undefined) {
    return await (isShown
      ? client.transfers.limits(undefined, { signal })
      : client.transfers.setLimits(limits, { signal }));
  }
  const sphere = await resolveSphere(client, sphereName, signal);
  const sphereId = sphere.id;
  if (itemName === undefined) {
    return isShown ? sphere.limits : await client.spheres.setLimits({ sphereId, ...limits }, { signal });
  }
  const item = await resolveItem(client, sphere, itemName, signal);
  return isShown ? item.limits : await client.items.setLimits({ sphereId, itemId: item.id, ...limits }, { signal });
}

/** The item that a sphere and a name stand for; null when neither is given. */
async function resolveOne(client: EngineClient, [sphereName, itemName]: readonly string[], signal: AbortSignal) {
  if (sphereName === undefined) return null;
  if (itemName === undefined) throw usageFailure('which item? Name it after the sphere');
  const sphere = await resolveSphere(client, sphereName, signal);
  return { sphereId: sphere.id, itemId: (await resolveItem(client, sphere, itemName, signal)).id };
}

function inWords(limit: number): string {
  return limit === 0 ? 'no limit' : `${sizeInWords(limit)}/s`;
}
