import { setPriority } from 'node:os';
import { implement } from '@orpc/server';
import { mediaContract, type Probe } from '../contract/media.ts';
import type { ProcessEnd } from '../contract/process-channel.ts';
import { processChannel, serveChannel } from '../contract/process-channel.ts';
import { drawPortrait } from './portrait.ts';
import { previewFile } from './preview.ts';
import { probeFile, probePlain } from './probe.ts';

/** The media process: opens files that strangers made, one at a time, and may die of any of them. */

const PER_FILE_MS = 20_000;
const LOW_PRIORITY = 10;
/** A picture of the largest size that is decoded fits; what needs more is not worth a preview. */
const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;
const LOOK_MS = 250;

const os = implement(mediaContract);
const router = os.router({
  probe: os.probe.handler(({ input }) => inTime(() => probeFile(input.path))),
  probeAll: os.probeAll.handler(async ({ input }) => {
    // Only what may be decoded is looked into one by one.
    const plain = await inTime(() => Promise.all(input.paths.map((path) => probePlain(path).catch(() => null))));
    const probes: (Probe | null)[] = [];
    for (const [index, path] of input.paths.entries()) {
      probes.push(plain[index] ?? (await inTime(() => probeFile(path)).catch(() => null)));
    }
    return probes;
  }),
  preview: os.preview.handler(({ input }) => inTime(() => previewFile(input.path))),
  portrait: os.portrait.handler(({ input }) => inTime(() => drawPortrait(input.bytes))),
});

/** Native code cannot be interrupted: a file that takes too long costs the process. */
async function inTime<T>(job: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => process.exit(1), PER_FILE_MS);
  try {
    return await job();
  } finally {
    clearTimeout(timer);
  }
}

function lowerPriority(): void {
  try {
    setPriority(LOW_PRIORITY);
  } catch {
    // Refused in some sandboxes; previews then compete with the rest of the machine.
  }
}

// The engine decides when this process ends; Ctrl-C in a terminal reaches the whole group.
process.on('SIGINT', () => undefined);
lowerPriority();
setInterval(() => {
  if (process.memoryUsage.rss() > MAX_MEMORY_BYTES) process.exit(1);
}, LOOK_MS).unref();
const channel = processChannel(ownEnd());
channel.onClose(() => process.exit(0));
serveChannel(router, channel);

/** This process as one end of the channel to its parent. */
function ownEnd(): ProcessEnd {
  return {
    get connected() {
      return process.connected;
    },
    send: (message, handle, options, callback) => process.send?.(message, handle, options, callback) ?? false,
    on: (event: string, listener: (message: unknown) => void) => process.on(event, listener),
  };
}
