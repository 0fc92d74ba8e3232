import type { ItemId } from '../base/id.ts';
import { accountCalls } from './account-calls.ts';
import type { AccountHolder } from './account-holder.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { Examination } from './doctor/examination.ts';
import { SessionSources } from './doctor/session-sources.ts';
import { itemCalls } from './item-calls.ts';
import { messageCalls } from './message-calls.ts';
import { peopleCalls } from './people-calls.ts';
import { withTalks } from './talk-calls.ts';
import { changeConfig, readConfig } from './profile.ts';
import { settingsCalls } from './settings-calls.ts';
import { sphereCalls } from './sphere-calls.ts';
import { waitUntilIdle } from './sync.ts';
import { productVersion } from './version.ts';

const DONE = { ok: true as const };

/** Joins every call of the contract to the part of the account's session that does it. */
export function createAppServices(deps: AppCallsDeps): AppServices {
  const { views } = deps;
  return {
    account: accountCalls(deps),
    spheres: sphereCalls(deps),
    items: itemCalls(deps),
    messages: withTalks(deps, messageCalls(deps)),
    people: peopleCalls(deps),
    transfers: transferCalls(deps),
    settings: settingsCalls(deps),
    network: {
      place: (signal) => deps.places.look(signal),
      setPublic: ({ isPublic }, signal) => deps.places.setPublic(isPublic, signal),
    },
    doctor: doctorCalls(deps),
    system: systemCalls(deps),
    snapshot: () => Promise.resolve(views.snapshot()),
    onEvent: views.onEvent,
    onlookers: deps.onlookers,
  };
}

function transferCalls({ holder, speed, views, profile }: AppCallsDeps): AppServices['transfers'] {
  return {
    limits: () => Promise.resolve(views.limits()),
    async setLimits(change) {
      const before = views.limits();
      const limits = { up: change.up ?? before.up, down: change.down ?? before.down };
      await changeConfig(profile, (config) => ({ ...config, limits }));
      await speed.set({ limits, quiet: readConfig(profile).quiet });
      views.setLimits(limits);
      return limits;
    },
    async pauseAll(signal) {
      await holder.session.items.pauseAll(true, signal);
      views.emitSwarm();
      return DONE;
    },
    async resumeAll(signal) {
      await holder.session.items.pauseAll(false, signal);
      views.emitSwarm();
      return DONE;
    },
  };
}

function doctorCalls({ holder, views, feed, config, clock, random, log }: AppCallsDeps): AppServices['doctor'] {
  const { mapPorts } = config.swarm;
  const sources = new SessionSources({ holder, views, feed, mapPorts, clock, random, log: log.child('doctor') });
  const version = productVersion();
  return {
    check(input, signal) {
      return Promise.resolve(new Examination({ sources, version, clock, log }).reports(input, signal));
    },
  };
}

function systemCalls({ holder, clock, views }: AppCallsDeps): AppServices['system'] {
  return {
    async sync(signal) {
      await waitUntilIdle(holder, clock, signal);
      return { idle: true };
    },
    exportLog({ sphereId }) {
      const { log } = holder.session.list.get(sphereId);
      const events = log.events().map(({ id, header, body }) => ({
        id,
        author: header.person as string,
        device: header.device as string,
        sequence: header.sequence,
        lamport: header.lamport,
        type: header.type,
        body: body as unknown,
      }));
      return Promise.resolve({ events });
    },
    onlyCopies() {
      const names = ownItems(holder).flatMap((itemId) => {
        const item = views.item(itemId);
        if (item === undefined || !item.mine || item.isPublic || item.copies > 0 || item.undoUntilMs !== null)
          return [];
        // Where nobody else is, nobody misses it.
        const others = views
          .sphere(holder.session.list.get(item.sphereId))
          .members.filter(({ isMe, state }) => !isMe && (state === 'joined' || state === 'invited'));
        return others.length > 0 ? [item.name] : [];
      });
      return Promise.resolve({ names });
    },
  };
}

function ownItems(holder: AccountHolder): ItemId[] {
  try {
    return holder.session.storage.items.listAll().map(({ itemId }) => itemId);
  } catch {
    // Nobody is signed in: there is nothing that could be lost by quitting.
    return [];
  }
}
