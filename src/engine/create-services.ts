import { randomFraction } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import type { MediaContract } from '../contract/media.ts';
import type { SwarmContract } from '../contract/swarm.ts';
import { findDefaultGateways } from '../nat/default-gateways.ts';
import { ownNetworks } from '../nat/local-addresses.ts';
import { Omemo } from '../omemo/omemo.ts';
import { SwarmFeed } from '../spheres/swarm-feed.ts';
import { FileThread } from '../torrent/file-thread.ts';
import { AccountHolder } from './account-holder.ts';
import { createAppServices } from './app-calls.ts';
import { ChildProcess } from './child-process.ts';
import { createMediaTools } from './media-tools.ts';
import { previewsOf } from './preview-source.ts';
import { NetworkPlaces } from './network-places.ts';
import { Onlookers } from './onlookers.ts';
import { changeConfig, readConfig } from './profile.ts';
import { findingOf } from './settings-calls.ts';
import type { CreateServices, RunningServices, ServicesDeps } from './start-engine.ts';
import { SpeedRules } from './speed-rules.ts';
import { ViewSource } from './view-source.ts';

const SWARM_ENTRY = new URL('../swarm/main.ts', import.meta.url);
const MEDIA_ENTRY = new URL('../media/main.ts', import.meta.url);

/** What a test may put in place of the product's own part. */
export interface ServiceParts {
  readonly openOmemo: typeof Omemo.open;
  readonly swarmEntry: URL;
  readonly mediaEntry: URL;
}

const PRODUCT: ServiceParts = {
  openOmemo: (deps) => Omemo.open(deps),
  swarmEntry: SWARM_ENTRY,
  mediaEntry: MEDIA_ENTRY,
};

/** The product's services: swarm and media process, the account of this profile, and everything people can ask. */
export const createServices: CreateServices = createServicesFrom(PRODUCT);

export function createServicesFrom(parts: ServiceParts): CreateServices {
  return async (deps, signal): Promise<RunningServices> => {
    await using stack = new AsyncDisposableStack();
    const { log } = deps;
    const feed = new SwarmFeed({ clock: deps.clock, log: log.child('swarm-feed') });
    await feed.setFinding(findingOf(deps.config));
    const views = new ViewSource({ feed, clock: deps.clock, log });
    const speed = openSpeed(deps, feed, stack);
    views.setLimits(deps.config.limits);
    stack.use(openSwarm(deps, feed, views, parts.swarmEntry));
    const media = stack.use(openMedia(deps, parts.mediaEntry));
    const mediaTools = createMediaTools({ process: media, clock: deps.clock, log });
    const files = stack.use(new FileThread());
    const { openOmemo } = parts;
    const onlookers = new Onlookers();
    const holder = stack.use(new AccountHolder({ ...deps, feed, mediaTools, files, views, onlookers, openOmemo }));
    const places = openPlaces(deps, feed, stack);
    const services = createAppServices({ ...deps, holder, feed, views, speed, places, onlookers, mediaTools });
    await places.look(signal);
    await holder.resume();
    signal.throwIfAborted();
    const owned = stack.move();
    return {
      services,
      previews: previewsOf(holder, mediaTools),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  };
}

function openSpeed({ config, clock, log }: ServicesDeps, feed: SwarmFeed, stack: AsyncDisposableStack): SpeedRules {
  const scope = stack.use(new Scope({ log }));
  const speed = new SpeedRules({ settings: config, apply: (limits) => feed.setLimits(limits), clock });
  scope.spawn('limits by the hour', (signal) => speed.run(signal));
  return speed;
}

/** Which networks are public is read anew each time: other settings are written to the same file. */
function openPlaces(
  { profile, clock, log }: ServicesDeps,
  feed: SwarmFeed,
  stack: AsyncDisposableStack,
): NetworkPlaces {
  const scope = stack.use(new Scope({ log }));
  const places = stack.use(
    new NetworkPlaces({
      feed,
      clock,
      gateways: (signal) => findDefaultGateways(signal),
      ownNetworks,
      marked: {
        get: () => readConfig(profile).swarm.publicNetworks,
        set: async (publicNetworks) => {
          const added = { publicNetworks: [...publicNetworks] };
          await changeConfig(profile, (config) => ({ ...config, swarm: { ...config.swarm, ...added } }));
        },
      },
      scope,
      log: log.child('network'),
    }),
  );
  scope.spawn('watch where we are', (signal) => places.run(signal));
  return places;
}

function openSwarm(deps: ServicesDeps, feed: SwarmFeed, views: ViewSource, entry: URL): ChildProcess<SwarmContract> {
  let starts = 0;
  return new ChildProcess<SwarmContract>({
    name: 'swarm',
    entry,
    launcher: deps.launcher,
    clock: deps.clock,
    log: deps.log.child('swarm'),
    closedCode: 'swarm-unavailable',
    random: () => randomFraction(deps.random),
    heartbeat: (client, signal) => client.heartbeat(undefined, { signal }),
    attend: async (client, signal) => {
      starts += 1;
      if (starts > 1) views.onEvent.emit({ kind: 'notice', code: 'swarm-restarted', params: {} });
      try {
        await feed.attach(client, signal);
      } finally {
        views.emitSwarm();
      }
    },
    stop: (client) => client.stop(),
  });
}

function openMedia(deps: ServicesDeps, entry: URL): ChildProcess<MediaContract> {
  return new ChildProcess<MediaContract>({
    name: 'media',
    entry,
    launcher: deps.launcher,
    clock: deps.clock,
    log: deps.log.child('media'),
    closedCode: 'internal',
    random: () => randomFraction(deps.random),
    maxHeapMb: 512,
    isOnDemand: true,
  });
}
