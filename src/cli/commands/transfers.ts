import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { limitsShape, okShape } from '../shapes.ts';
import { sizeInWords } from '../words.ts';

export const transferCommands = [
  defineCommand({
    name: 'limit',
    summary: 'Shows or sets how fast the machine may send and receive, in bytes per second; 0 = no limit.',
    options: {
      up: { value: 'BYTES', help: 'sending' },
      down: { value: 'BYTES', help: 'receiving' },
    },
    shape: limitsShape,
    async run({ connect, signal, values }) {
      const up = values.get('up');
      const down = values.get('down');
      const limits = {
        ...(up === undefined ? {} : { up: wholeNumber('up', up) }),
        ...(down === undefined ? {} : { down: wholeNumber('down', down) }),
      };
      using engine = await connect();
      if (Object.keys(limits).length === 0) return await engine.client.transfers.limits(undefined, { signal });
      return await engine.client.transfers.setLimits(limits, { signal });
    },
    describe: ({ up, down }) => `up ${inWords(up)}\ndown ${inWords(down)}`,
  }),
  defineCommand({
    name: 'pause',
    summary: 'Stops all transfers until resume.',
    shape: okShape,
    async run({ connect, signal }) {
      using engine = await connect();
      return await engine.client.transfers.pauseAll(undefined, { signal });
    },
    describe: () => 'paused',
  }),
  defineCommand({
    name: 'resume',
    summary: 'Lets transfers go on.',
    shape: okShape,
    async run({ connect, signal }) {
      using engine = await connect();
      return await engine.client.transfers.resumeAll(undefined, { signal });
    },
    describe: () => 'resumed',
  }),
];

function inWords(limit: number): string {
  return limit === 0 ? 'no limit' : `${sizeInWords(limit)}/s`;
}
