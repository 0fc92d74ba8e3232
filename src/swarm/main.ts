import { setPriority } from 'node:os';
import { createLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { processChannel, serveChannel } from '../contract/process-channel.ts';
import { createPortMapper } from '../nat/system-port-mapper.ts';
import type { LoadedRtc } from '../nat/rtc/load-rtc.ts';
import { loadRtc as importRtc } from '../nat/rtc/load-rtc.ts';
import { systemLanNetwork } from '../torrent/lan-network.ts';
import { createSwarmRouter } from './router.ts';
import { RouterPortMapping } from './router-port-mapping.ts';
import { SwarmService } from './swarm-service.ts';

/** It takes whatever the processors give: engine and page, which people wait for, come first. Threads inherit it. */
const LOW_PRIORITY = 5;

/** The swarm process: started by the engine with an IPC channel, ends with it. An uncaught exception ends it too. */
// Whoever read the engine's log may have gone.
process.stderr.on('error', () => undefined);
lowerPriority();
const verbose = process.env['SPHERECAST_VERBOSE'] === '1';
const log = createLogger({
  clock: systemClock,
  module: 'swarm',
  sink: (entry) => {
    if (verbose || entry.level !== 'debug') process.stderr.write(`${JSON.stringify(entry)}\n`);
  },
});

const tools = { clock: systemClock, random: systemRandom, log };
const portMapping = new RouterPortMapping(createPortMapper(tools));
let rtc: Promise<LoadedRtc> | undefined;
const loadRtc = (): Promise<LoadedRtc> => (rtc ??= importRtc());
const service = new SwarmService({ ...tools, portMapping, lanNetwork: systemLanNetwork, loadRtc });
let ending = false;

function lowerPriority(): void {
  try {
    setPriority(LOW_PRIORITY);
  } catch {
    // Refused in some sandboxes; then all compete.
  }
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  try {
    await service[Symbol.asyncDispose]();
    await portMapping[Symbol.asyncDispose]();
    // Its threads would call into a process that ends.
    const [loaded] = await Promise.allSettled([rtc]);
    if (loaded.status === 'fulfilled') loaded.value?.[Symbol.dispose]();
    process.exit(0);
  } catch (error) {
    log.error('did not end cleanly', { error });
    process.exit(1);
  }
}

if (process.send === undefined) {
  process.stderr.write('the swarm process is started by the engine\n');
  process.exit(2);
}
const channel = processChannel(process);
serveChannel(createSwarmRouter(service), channel);
channel.onClose(() => void end());
process.on('SIGTERM', () => void end());
