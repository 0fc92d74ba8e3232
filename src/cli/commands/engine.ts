import { locateProfile, readEngineFile } from '../../engine/profile.ts';
import { addressForOnce } from '../../engine/profile-calls.ts';
import { productVersion } from '../../engine/version.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { idleShape, logShape, readyShape, statusShape } from '../shapes.ts';
import { resolveSphere } from '../resolve.ts';
import { sizeInWords } from '../words.ts';
import { known } from './profiles.ts';

const SYNC_GRACE_MS = 1000;
const NO_BROWSER = 'No browser could be opened: copy the address that is printed into one.\n';

export const engineCommands = [
  defineCommand({
    name: 'serve',
    summary: 'Runs the engine of this profile until it is told to end. Prints one line when it is ready.',
    options: {
      port: { value: 'N', help: 'listen on this port of 127.0.0.1, 0 = any' },
      'also-port': {
        value: 'N,N',
        help: 'also let members in on these ports, for those whose network only lets 443 or 80 through',
      },
      'keep-everything': { help: 'fetch every item of every sphere, to give it to those who come later' },
      ask: {
        help: 'without --profile: begin with whoever used Spherecast here last, and let the page ask who is there',
      },
      'no-open': { help: 'do not open the application in the browser' },
    },
    shape: readyShape,
    async run({ values, flags, startEngine, openPage, print, io, verbose, profileOption, signal }) {
      const port = values.get('port');
      const people = known();
      const asksWho = flags.has('ask') && profileOption === undefined;
      const folder = asksWho ? people.last?.folder : profileOption;
      const running = asksWho ? readEngineFile(locateProfile(folder)) : undefined;
      if (running !== undefined) {
        const { url, token, pid } = running;
        if (!flags.has('no-open')) {
          const asked = people.isChoice ? '&who' : '';
          await addressForOnce(running, signal)
            .then((page) => openPage(page + asked))
            .catch(() => io.stderr(NO_BROWSER));
        }
        return { url: `${url}/?token=${token}`, pid, version: productVersion(), already: true };
      }
      const also = values.get('also-port')?.split(',');
      const engine = await startEngine({
        profile: folder,
        asksWho,
        port: port === undefined ? undefined : wholeNumber('--port', port),
        duties: {
          ...(also === undefined ? {} : { extraPorts: memberPorts(also) }),
          ...(flags.has('keep-everything') ? { keepEverything: true } : {}),
        },
        verbose,
        onLog: (line) => io.stderr(`${line}\n`),
      });
      signal.addEventListener('abort', () => void engine.stop(), { once: true });
      print({ url: engine.url, pid: engine.pid, version: engine.version });
      if (!flags.has('no-open')) {
        openPage(engine.urlForOnce()).catch(() => io.stderr(NO_BROWSER));
      }
      await engine.stopped;
      return undefined;
    },
    describe: ({ url, already }) =>
      already === true ? `Spherecast runs already, at ${url}` : `Spherecast runs at ${url} (Ctrl-C ends it)`,
  }),
  defineCommand({
    name: 'status',
    summary: 'Shows the running engine, its account and its transfers.',
    shape: statusShape,
    async run({ connect, signal }) {
      using engine = await connect();
      return await engine.client.system.status(undefined, { signal });
    },
    describe: ({ url, account, swarm }) => {
      const address = `address  ${url}`;
      // Without an account there is nothing to share with anybody.
      if (account === null) return `${address}\naccount  none: sign in with spherecast account add`;
      const rates = `↓ ${sizeInWords(swarm.downBps)}/s ↑ ${sizeInWords(swarm.upBps)}/s`;
      const going =
        account.goingTo === undefined ? '' : `\nmoving   to ${account.goingTo}: account move or account stay`;
      return `${address}\naccount  ${account.jid} (${account.state})${going}\nsharing  ${swarm.state}, ${rates}`;
    },
  }),
  defineCommand({
    name: 'sync',
    summary:
      'Tells whether nothing waits to be sent and all room archives are read; with --wait returns when that is so.',
    options: { wait: { help: 'wait until everything is settled' } },
    shape: idleShape,
    async run({ connect, signal, flags }) {
      using engine = await connect();
      if (flags.has('wait')) return await engine.client.system.sync(undefined, { signal });
      const limited = AbortSignal.any([signal, AbortSignal.timeout(SYNC_GRACE_MS)]);
      try {
        return await engine.client.system.sync(undefined, { signal: limited });
      } catch (error) {
        if (signal.aborted || !limited.aborted) throw error;
        return { idle: false };
      }
    },
    describe: ({ idle }) => (idle ? 'everything is settled' : 'something is still on its way'),
  }),
  defineCommand({
    name: 'export',
    summary: 'Prints the events of a sphere in canonical order, equal on all members that agree.',
    options: { log: { value: 'S', required: true, help: 'the sphere' } },
    shape: logShape,
    async run({ connect, signal, values }) {
      const sphereName = values.get('log') ?? '';
      using engine = await connect();
      const sphere = await resolveSphere(engine.client, sphereName, signal);
      return await engine.client.system.exportLog({ sphereId: sphere.id }, { signal });
    },
    describe: ({ events }) => events.map((event) => JSON.stringify(event)).join('\n'),
  }),
];

function memberPorts(texts: readonly string[]): number[] {
  const ports = texts.map((text) => wholeNumber('--also-port', text, 1));
  if (ports.length > 4 || ports.some((port) => port > 65_535)) {
    throw usageFailure('--also-port takes up to four ports from 1 to 65535');
  }
  return ports;
}
