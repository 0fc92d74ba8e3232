import type { Finding } from '../contract/finding.ts';
import type { SettingsChange, SettingsView } from '../contract/settings.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import type { ProfileConfig } from './profile.ts';
import { changeConfig, readConfig } from './profile.ts';

/** The settings as the profile keeps them; limits change at once, the network with the next start. */
export function settingsCalls(
  deps: Pick<AppCallsDeps, 'profile' | 'speed' | 'views'> & { readonly feed: Pick<SwarmFeed, 'setFinding'> },
): AppServices['settings'] {
  const { profile, speed, views, feed } = deps;
  const atStart = JSON.stringify(networkOf(readConfig(profile)));
  const view = (): SettingsView => {
    const config = readConfig(profile);
    const network = networkOf(config);
    const restartNeeded = JSON.stringify(network) !== atStart;
    const { limits, quiet, tellTyping } = config;
    return { limits, quiet, tellTyping, public: findingOf(config), network, inForce: speed.inForce, restartNeeded };
  };
  return {
    get: () => Promise.resolve(view()),
    async set(change) {
      await changeConfig(profile, (config) => withChange(config, change));
      const config = readConfig(profile);
      const { limits, quiet } = config;
      await speed.set({ limits, quiet });
      views.setLimits(limits);
      await feed.setFinding(findingOf(config));
      return view();
    },
  };
}

/** How strangers who share public torrents are found. */
export function findingOf({ swarm }: ProfileConfig): Finding {
  const { dht, pex, dhtNodes } = swarm;
  return { dht, pex, dhtNodes };
}

function networkOf({ swarm }: ProfileConfig): SettingsView['network'] {
  const { dataPort, addresses, mapPorts, discoverLan, tracker, extraPorts } = swarm;
  return { dataPort, addresses, mapPorts, discoverLan, tracker, extraPorts };
}

function withChange(
  config: ProfileConfig,
  { limits, quiet, network, tellTyping, public: finding }: SettingsChange,
): ProfileConfig {
  const before = config.quiet;
  return {
    ...config,
    tellTyping: tellTyping ?? config.tellTyping,
    limits: { ...config.limits, ...defined(limits) },
    quiet: {
      on: quiet?.on ?? before.on,
      limits: { ...before.limits, ...defined(quiet?.limits) },
      schedule: { ...before.schedule, ...defined(quiet?.schedule) },
    },
    swarm: { ...config.swarm, ...defined(network), ...defined(finding) },
  };
}

/** Only what is given. */
function defined<T extends object>(change: T | undefined): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const entries = Object.entries(change ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
