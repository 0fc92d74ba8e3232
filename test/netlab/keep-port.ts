import { createServer } from 'node:net';
import type { Clock } from '../../src/base/clock.ts';
import { createLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/system-clock.ts';
import { createPortMapper } from '../../src/nat/system-port-mapper.ts';

/**
 * Runs on a host of the laboratory: answers on a port, keeps it open on the router, writes each state as a line, and
 * the pinholes as a list. SIGUSR2 is a suspicion.
 */
const port = Number(process.argv[2]);
const verbose = process.env['SPHERECAST_VERBOSE'] === '1';
const log = createLogger({
  clock: systemClock,
  sink: (entry) => {
    if (verbose) process.stderr.write(`${JSON.stringify(entry)}\n`);
  },
});
/** Waits between checks and renewals pass this many times faster, those for answers do not. */
const haste = Number(process.argv[3] ?? 1);
const clock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms > 10_000 ? ms / haste : ms, signal),
};
const tools = { clock, random: systemRandom, log };
const server = createServer((socket) => socket.on('error', () => undefined).end('hello from home'));
server.listen(port, '::', () => {
  const mapper = createPortMapper(tools);
  const tell = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
  mapper.keep('tcp', port).changes.on(tell);
  mapper.keepPinholes('tcp', port).changes.on((pinholes) => {
    if (pinholes.length > 0) tell(pinholes);
  });
  process.on('SIGUSR2', () => mapper.checkNow());
  process.once('SIGTERM', () => {
    void mapper[Symbol.asyncDispose]().then(() => process.exit(0));
  });
});
